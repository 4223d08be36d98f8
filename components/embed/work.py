"""Work of one process: read photos, create their views, and compute features or, for a GPU, pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coachworks.digests import digest_json
from coachworks.errors import DataError, PhotoError
from coachworks.models.backbone import BackboneSpec, fetch_onnx
from coachworks.models.preprocess import decoded, preprocess, resized
from coachworks.models.session import open_session, run_session
from coachworks.photos import WHOLE, Crop, Frame
from coachworks.store import Store, open_store, prefetched
from coachworks.wording import pipeline_command
from components.augment.policy import Policy, augmenter, moved_box

if TYPE_CHECKING:
    import onnxruntime as ort


@dataclass(frozen=True)
class Job:
    """Settings that all chunks have in common.

    Attributes:
        store: Address of the store.
        spec: The backbone.
        computes: Whether to return features; False returns pixels.
        policy: The augmentation policy; None if there are only clean photos.
        batch_size: Photos per pass of the backbone.
        threads: Threads within one pass.
    """

    store: str
    spec: BackboneSpec
    computes: bool
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
        frame: The part of it that the backbone sees.
    """

    photo_id: str
    key: str
    views: tuple[int, ...]
    frame: Frame = WHOLE

    @property
    def row_id(self) -> str:
        """Name of its features in the cache: its id, or a digest of id and frame, 64 hexadecimal digits."""
        return self.photo_id if self.frame == WHOLE else digest_json([self.photo_id, *frame_values(self.frame)])


def frame_values(frame: Frame) -> list[Any]:
    """Return a frame as JSON values: none where the photo is seen whole, else the box, and the turn if there is one."""
    box = None if frame.box is None else list(frame.box)
    return [box, frame.turn] if frame.turn else [] if box is None else [box]


class Work:
    """Computes chunk after chunk; store, session and augmentation are opened once."""

    def __init__(self, job: Job) -> None:
        self._job, self._spec = job, job.spec
        self._store: Store = open_store(job.store)
        self._session = _session(self._store, job) if job.computes else None
        self._augmented = None if job.policy is None else augmenter(job.policy, self._store.read)

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
            features.append(run_session(self._session, batch[: len(taken)], tuple(self._spec.group_sizes)))
        return np.concatenate(features)

    def _views(self, photo: Photo, data: bytes) -> Iterator[Image.Image]:
        try:
            crop = None if photo.frame.box is None else Crop(photo.frame.box, self._spec.margin)
            clean = decoded(data, self._spec, crop=crop, turn=photo.frame.turn)
        except PhotoError as err:
            raise DataError(
                f"the photo {photo.key!r} of the store {self._job.store} cannot be used: {err}. Another version of "
                f"coachworks or Pillow took it in; {pipeline_command(self._job.store)} examines it again."
            ) from err
        for view in photo.views:
            if view == 0 or self._augmented is None:
                yield clean
            else:
                image = self._jittered(photo, data, crop, view) or clean
                yield Image.fromarray(self._augmented(np.asarray(image), photo.photo_id, view))

    def _jittered(self, photo: Photo, data: bytes, crop: Crop | None, view: int) -> Image.Image | None:
        """Return a view's crop where the policy moves its box; None where it does not, or the photo is whole."""
        moved = None if crop is None or self._job.policy is None else moved_box(self._job.policy, photo.photo_id, view)
        if crop is None or moved is None:
            return None
        return decoded(data, self._spec, crop=crop._replace(moved=moved), turn=photo.frame.turn)


def _session(store: Store, job: Job) -> "ort.InferenceSession":
    """Open the session of the converted backbone, after a look at its digest.

    Raises:
        DataError: its file is damaged, or ONNX Runtime cannot load it.
    """
    onnx = fetch_onnx(store, job.spec)
    try:
        return open_session(onnx, job.threads)
    except MemoryError:
        raise
    except Exception as err:  # the classes of ONNX Runtime have no other base
        from onnxruntime import __version__

        raise DataError(
            f"ONNX Runtime {__version__} cannot load the converted backbone {job.spec.name}, {onnx}, although its "
            f"SHA-256 is that of its conversion: {err}. Install the versions of coachworks' requirements.lock."
        ) from err
