"""Work of one process: read photos, create their views, and compute features or, for a GPU, pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coachworks.errors import DataError, PhotoError
from coachworks.models.backbone import BackboneSpec
from coachworks.models.preprocess import decoded, preprocess, resized
from coachworks.models.session import open_session, run_session
from coachworks.store import Store, open_store, prefetched
from components.augment.policy import Policy, augmenter


@dataclass(frozen=True)
class Job:
    """Settings that all chunks have in common.

    Attributes:
        store: Address of the store.
        spec: The backbone.
        onnx: Key of the backbone's ONNX file; None to return pixels instead of features.
        policy: The augmentation policy; None if there are only clean photos.
        batch_size: Photos per pass of the backbone.
        threads: Threads within one pass.
    """

    store: str
    spec: BackboneSpec
    onnx: str | None
    policy: Policy | None
    batch_size: int
    threads: int


@dataclass(frozen=True)
class Photo:
    """A photo and its requested views.

    Attributes:
        photo_id: Id of the photo.
        key: Key of the photo in the store.
        views: Numbers of the views; 0 is the clean photo.
    """

    photo_id: str
    key: str
    views: tuple[int, ...]


class Work:
    """Computes chunk after chunk; store, session and augmentation are opened once."""

    def __init__(self, job: Job) -> None:
        self._job, self._spec = job, job.spec
        self._store: Store = open_store(job.store)
        self._session = None if job.onnx is None else open_session(self._store.fetch(job.onnx), job.threads)
        self._augmented = None if job.policy is None else augmenter(job.policy)

    def chunk(self, photos: Sequence[Photo]) -> NDArray[Any]:
        """Compute one row per view, photo after photo: features float32 (N, D), or pixels uint8 (N, H, W, 3)."""
        read = prefetched(self._store, lambda photo: self._store.read(photo.key), photos)
        images = (image for photo, data in zip(photos, read, strict=True) for image in self._views(photo, data))
        if self._session is None:
            return np.stack([np.asarray(resized(image, self._spec)) for image in images])
        side = self._spec.input_px
        batch = np.empty((self._job.batch_size, 3, side, side), np.float32)
        features = []
        while taken := list(islice(images, len(batch))):
            for row, image in zip(batch, taken, strict=False):
                preprocess(image, self._spec, out=row)
            features.append(run_session(self._session, batch[: len(taken)]))
        return np.concatenate(features)

    def _views(self, photo: Photo, data: bytes) -> Iterator[Image.Image]:
        try:
            clean = decoded(data, self._spec)
        except PhotoError as err:
            raise DataError(
                f"the photo {photo.key!r} of the store is damaged: {err}. Delete it there and run "
                "`coachworks ingest` again."
            ) from err
        for view in photo.views:
            if view == 0 or self._augmented is None:
                yield clean
            else:
                yield Image.fromarray(self._augmented(np.asarray(clean), photo.photo_id, view))
