"""The predictor: photos in, answers out; one backbone pass for all skills, the heads in NumPy."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coachworks.cpu_limit import usable_cores
from coachworks.models.preprocess import features_input
from coachworks.models.session import open_session, run_session
from serving.answer_format import Answer, RunnerUp
from serving.bundle import Bundle

Floats = NDArray[np.float32]

PHOTOS_PER_PASS = 8  # more gains nothing on a CPU, and costs memory and time to the first answer


@dataclass(frozen=True, eq=False)
class Query:
    """A prepared photo and what is asked about it.

    Attributes:
        pixels: What the backbone takes in, float32 of shape (3, H, W).
        skills: The skills to ask.
        probabilities: Whether the probability of every label is wanted.
    """

    pixels: Floats
    skills: tuple[str, ...]
    probabilities: bool = False


class Predictor:
    """Answers with the models of a bundle. Safe to use from several threads.

    Args:
        bundle: The packaged models.
        threads: Threads of one backbone pass; None: one per core that this process may use.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        self.bundle = bundle
        self._session = open_session(bundle.backbone_path, threads or usable_cores())

    def answer(
        self, photos: Sequence[bytes], skills: Sequence[str] | None = None, *, probabilities: bool = False
    ) -> list[dict[str, Answer]]:
        """Every skill's answer about every photo.

        Args:
            photos: Contents of image files.
            skills: The skills to ask; None: all.
            probabilities: Give the probability of every label too.

        Returns:
            One mapping from skill to answer per photo, in their order.

        Raises:
            PhotoError: one of the photos cannot be used.
            UnknownSkillError: the bundle does not hold one of the skills.
        """
        names = self.bundle.pick(skills)
        answers: list[dict[str, Answer]] = []
        for start in range(0, len(photos), PHOTOS_PER_PASS):
            block = photos[start : start + PHOTOS_PER_PASS]
            answers += self.answer_queries([Query(self.prepare(photo), names, probabilities) for photo in block])
        return answers

    def prepare(self, photo: bytes) -> Floats:
        """What the backbone takes in for one photo, float32 of shape (3, H, W).

        Raises:
            PhotoError: the photo cannot be used.
        """
        return features_input(photo, self.bundle.backbone)

    def answer_queries(self, queries: Sequence[Query]) -> list[dict[str, Answer]]:
        """The answers to prepared photos: one backbone pass, then each head on the photos that ask for it."""
        features = run_session(self._session, np.stack([query.pixels for query in queries]))
        answers: list[dict[str, Answer]] = [{} for _ in queries]
        for name, skill in self.bundle.skills.items():
            rows = [row for row, query in enumerate(queries) if name in query.skills]
            if not rows:
                continue
            table = skill.head.probabilities(features[rows])
            for row, probabilities in zip(rows, table, strict=True):
                answers[row][name] = _answer(
                    skill.entry.version, skill.head.labels, probabilities, everything=queries[row].probabilities
                )
        return answers

    def warm_up(self) -> None:
        """Answer a photo drawn for the purpose, alone and in a batch, so that the first person does not wait."""
        from PIL import Image

        file = io.BytesIO()
        Image.linear_gradient("L").convert("RGB").save(file, "JPEG")
        self.answer([file.getvalue()])
        self.answer([file.getvalue()] * 2)


def _answer(version: str, labels: tuple[str, ...], probabilities: Floats, *, everything: bool) -> Answer:
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    return Answer(
        label=labels[first],
        probability=float(probabilities[first]),
        runner_up=RunnerUp(label=labels[second], probability=float(probabilities[second])),
        model_version=version,
        probabilities=dict(zip(labels, map(float, probabilities), strict=True)) if everything else None,
    )
