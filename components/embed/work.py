"""What one worker does: read photos, make their views, and compute features or, for a GPU, pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coachworks.errors import DataError, PhotoError
from coachworks.store import Store, open_store
from components.augment.policy import Policy, augmenter
from components.embed.preprocess import decoded, normalised, pixels
from components.embed.session import open_session, run_session
from components.embed.spec import BackboneSpec


@dataclass(frozen=True)
class Job:
    """What all batches have in common.

    Attributes:
        store: Address of the store.
        spec: The backbone.
        onnx: Key of the backbone's ONNX file; None to give pixels instead of features.
        policy: The augmentation policy; None where no views are asked for.
        threads: Threads within one pass.
    """

    store: str
    spec: BackboneSpec
    onnx: str | None
    policy: Policy | None
    threads: int


@dataclass(frozen=True)
class Photo:
    """A photo and the views of it that are asked for.

    Attributes:
        photo_id: Its id.
        key: Its key in the store.
        views: Numbers of the views; 0 is the clean photo.
    """

    photo_id: str
    key: str
    views: tuple[int, ...]


class Work:
    """A worker's share: everything opened once, then batch after batch."""

    def __init__(self, job: Job) -> None:
        self._spec = job.spec
        self._store: Store = open_store(job.store)
        self._session = None if job.onnx is None else open_session(self._store.fetch(job.onnx), job.threads)
        self._augmented = None if job.policy is None else augmenter(job.policy)

    def batch(self, photos: list[Photo]) -> NDArray[Any]:
        """One row per view, photo after photo: features float32 (N, D), or pixels uint8 (N, H, W, 3)."""
        rows = np.concatenate([self._views(photo) for photo in photos])
        return rows if self._session is None else run_session(self._session, rows)

    def _views(self, photo: Photo) -> NDArray[Any]:
        try:
            clean = decoded(self._store.read(photo.key), self._spec)
        except PhotoError as err:
            raise DataError(
                f"the photo {photo.key!r} of the store cannot be read any more: {err}. Delete it there and run "
                "`coachworks ingest` again."
            ) from err
        images = [clean if view == 0 else self._view(clean, photo.photo_id, view) for view in photo.views]
        shown = [pixels(image, self._spec) for image in images]
        return np.stack(shown if self._session is None else [normalised(rgb, self._spec) for rgb in shown])

    def _view(self, clean: Any, photo_id: str, view: int) -> Any:
        from PIL import Image

        if self._augmented is None:
            raise DataError(f"view {view} of {photo_id} was asked for without a policy")
        return Image.fromarray(self._augmented(np.asarray(clean), photo_id, view))
