"""Competition: train every candidate of every skill of a lane, and pick the winners."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coachworks.progress import SILENT, Progress
from components.train.candidate import Candidate, Chosen
from components.train.config import TrainConfig
from components.train.lane import UNLABELLED, Lane
from components.train.reduction import Reduction
from components.train.selection import COMPLEXITY, Score, pick, score


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
    progress: Progress = SILENT,
) -> dict[str, Outcome]:
    """Train the candidates `kinds[skill]` of every skill of the lane, each kind once for all its skills."""
    entries: dict[str, dict[str, Entry]] = {skill: {} for skill in lane.skills}
    total = sum(len(kinds[skill]) for skill in lane.skills)
    with progress.task("train", total=total, unit="heads") as task:
        for kind in COMPLEXITY:
            skills = [skill for skill in lane.skills if kind in kinds[skill]]
            if not skills:
                continue
            started = time.monotonic()
            part = lane.subset(skills)
            candidates = fitter(kind)(part, reduction, config, None)
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
        outcomes[skill] = Outcome(row, winner, why)
    return outcomes


def fitter(kind: str) -> Callable[[Lane, Reduction, TrainConfig, Chosen | None], dict[str, Candidate]]:
    """Return the function that fits a candidate for all skills of a lane: all its settings, or the chosen ones."""
    from components.train import bayes, linear, mlp, neighbours, svm

    return {
        "linear": linear.fit,
        "naive-bayes": bayes.fit,
        "knn": neighbours.fit,
        "svm": svm.fit,
        "mlp": mlp.fit,
    }[kind]
