"""The predictor: photos in, answers out; one backbone pass for all skills, the heads in NumPy."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coachworks.cpu_limit import usable_cores
from coachworks.feature_groups import select
from coachworks.models.backbone import BackboneSpec
from coachworks.models.preprocess import features_input
from coachworks.models.session import open_session, run_session
from coachworks.photos import WHOLE, Crop, Frame
from serving.answer_format import Answer, RunnerUp
from serving.bundle import Bundle
from serving.errors import Code, RefusalError

Floats = NDArray[np.float32]

PHOTOS_PER_PASS = 8  # larger passes are no faster on a CPU, and cost memory and time to the first answer


@dataclass(frozen=True, eq=False)
class Query:
    """A preprocessed photo and the requested answers.

    Attributes:
        pixels: Input of the backbone, float32 of shape (3, H, W).
        skills: Names of the skills that answer.
        probabilities: Whether to include the probability of every label.
    """

    pixels: Floats
    skills: tuple[str, ...]
    probabilities: bool = False


class Predictor:
    """Predict with the models of a bundle. Thread-safe.

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
        """Return every skill's answer about every photo.

        Args:
            photos: Contents of image files.
            skills: Names of the skills that answer; None: all.
            probabilities: Include the probability of every label.

        Returns:
            One mapping from skill to answer per photo, in the order of `photos`.

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

    def prepare(self, photo: bytes, frame: Frame = WHOLE) -> Floats:
        """Return the backbone's input for one photo, float32 of shape (3, H, W).

        Args:
            photo: Content of an image file.
            frame: The part to classify, and how to turn it.

        Raises:
            PhotoError: the photo cannot be used, or the box reaches out of it.
            RefusalError: the models were trained on photos that were not cropped, or not turned.
        """
        spec = self.bundle.backbone
        check_takes(spec, frame)
        crop = None if frame.box is None else Crop(frame.box, spec.margin)
        return features_input(photo, spec, crop, frame.turn)

    def answer_queries(self, queries: Sequence[Query]) -> list[dict[str, Answer]]:
        """Answer queries with one backbone pass, then each head on the photos that request its skill."""
        sizes = self.bundle.backbone.group_sizes
        features = run_session(self._session, np.stack([query.pixels for query in queries]), tuple(sizes))
        answers: list[dict[str, Answer]] = [{} for _ in queries]
        for name, skill in self.bundle.skills.items():
            rows = [row for row, query in enumerate(queries) if name in query.skills]
            if not rows:
                continue
            table = skill.head.probabilities(select(features[rows], sizes, skill.head.groups))
            for row, probabilities in zip(rows, table, strict=True):
                answers[row][name] = _answer(
                    skill.entry.version, skill.head.labels, probabilities, everything=queries[row].probabilities
                )
        return answers

    def warm_up(self) -> None:
        """Classify a generated photo, alone and in a batch, so that the first request is not slow."""
        photo = generated_photo()
        self.answer([photo])
        self.answer([photo] * 2)


def check_takes(spec: BackboneSpec, frame: Frame) -> None:
    """Refuse a box, or a rotation, where the models were trained without.

    Raises:
        RefusalError: they were.
    """
    if frame.box is not None and spec.crop != "box":
        box = str(frame.box)
        raise RefusalError(Code.WRONG_BOX, f"the models must have been trained on boxes to take one; got {box!r}")
    if frame.turn and spec.upright != "table":
        raise RefusalError(
            Code.WRONG_ROTATION, f"the models must have been trained on turned photos to turn one; got {frame.turn}"
        )


def generated_photo() -> bytes:
    """Return a small JPEG."""
    from PIL import Image

    file = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(file, "JPEG")
    return file.getvalue()


def _answer(version: str, labels: tuple[str, ...], probabilities: Floats, *, everything: bool) -> Answer:
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    return Answer(
        label=labels[first],
        probability=float(probabilities[first]),
        runner_up=RunnerUp(label=labels[second], probability=float(probabilities[second])),
        model_version=version,
        probabilities=dict(zip(labels, map(float, probabilities), strict=True)) if everything else None,
    )
