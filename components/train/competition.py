"""Competition: train every candidate of every skill of a lane, and pick the winners."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coachworks.progress import SILENT, Progress
from components.train.candidate import Candidate, Chosen
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane
from components.train.reduction import Reduction
from components.train.selection import COMPLEXITY, FINE_TUNE, Score, pick, score

Fit = Callable[[Lane, Reduction, TrainConfig, Chosen | None], dict[str, Candidate]]


@dataclass(frozen=True, eq=False)
class Entry:
    """A candidate with its validation score and its share of the training time, in seconds."""

    candidate: Candidate
    score: Score
    seconds: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """Result of a skill's competition: the entries by name, the winner's name, and the reason in words."""

    entries: Mapping[str, Entry]
    winner: str
    why: str


def compete(
    lane: Lane,
    reduction: Reduction,
    kinds: Mapping[str, Sequence[str]],
    config: TrainConfig,
    *,
    fine_tune: Fit | None = None,
    enough: Mapping[str, float] | None = None,
    progress: Progress = SILENT,
) -> dict[str, Outcome]:
    """Train the candidates `kinds[skill]` of every skill of the lane, each kind once for all its skills.

    Args:
        lane: The data.
        reduction: Its reduction.
        kinds: Kinds of candidates of each skill.
        config: Settings.
        fine_tune: Fits `fine-tune`; needed if a skill has that candidate.
        enough: Balanced accuracy on validation with which a skill is not fine-tuned; others are in any case.
        progress: Receives progress updates.
    """
    entries: dict[str, dict[str, Entry]] = {skill: {} for skill in lane.skills}
    spared: dict[str, str] = {}
    total = sum(len(kinds[skill]) for skill in lane.skills)
    with progress.task("train", total=total, unit="heads") as task:
        for kind in COMPLEXITY:
            skills = [skill for skill in lane.skills if kind in kinds[skill]]
            if kind == FINE_TUNE:
                spared |= {s: why for s in skills if (why := _why_spared(entries[s], (enough or {}).get(s)))}
                skills = [skill for skill in skills if skill not in spared]
            if not skills:
                continue
            started = time.monotonic()
            part = lane.subset(skills)
            fit = fine_tune if fine_tune and kind == FINE_TUNE else fitter(kind)
            candidates = fit(part, reduction, config, None)
            seconds = (time.monotonic() - started) / len(skills)
            for column, skill in enumerate(skills):
                answers = part.validation_answers[:, column]
                known = answers != UNLABELLED
                scored = score(
                    np.asarray(candidates[skill].logits)[known],
                    answers[known],
                    part.validation_sets[known],
                    seed=config.seed,
                )
                entries[skill][kind] = Entry(candidates[skill], scored, round(seconds, 3))
            task.advance(len(skills))
    outcomes = {}
    for skill, row in entries.items():
        winner, why = pick({name: entry.score for name, entry in row.items()})
        outcomes[skill] = Outcome(row, winner, why + spared.get(skill, ""))
    return outcomes


def _why_spared(entries: Mapping[str, Entry], enough: float | None) -> str:
    """Return why a skill need not be fine-tuned; empty if it must be."""
    best = max((entry.score.balanced_accuracy for entry in entries.values()), default=math.nan)
    if enough is None or not best >= enough:
        return ""
    return f". It was not fine-tuned, because the best, {best:.3f}, reaches the gate minBalancedAccuracy of {enough:g}"


def fitter(kind: str) -> Fit:
    """Return the function that fits a head for all skills of a lane: all its settings, or the chosen ones."""
    from components.train import bayes, linear, mlp, neighbours, svm

    return {
        "linear": linear.fit,
        "naive-bayes": bayes.fit,
        "knn": neighbours.fit,
        "svm": svm.fit,
        "mlp": mlp.fit,
    }[kind]
