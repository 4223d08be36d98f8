"""Decoding of uploaded photos in processes that may be killed, in a lane for small photos and one for large ones."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from coachworks.decoders import Cause, Decoders, DecodersDownError, Lane, LimitError
from coachworks.errors import PhotoError
from coachworks.models.backbone import BackboneSpec
from coachworks.models.preprocess import normalised_rgb, rgb_options
from coachworks.photos import WHOLE, Frame, Reason
from coachworks.photos.boxes import prefixed
from serving.errors import Code, RefusalError
from serving.metrics import ServiceMetrics
from serving.predictor import Floats, check_takes, generated_photo
from serving.settings import ServingSettings

SMALL, LARGE = "small", "large"
_FUNCTION = "coachworks.models.preprocess:rgb_input"
_FRAMED_FUNCTION = "coachworks.models.preprocess:rgb_framed_input"
_MIB = 1024**2
# Several times what a small photo needs. One that needs more starts again among the large ones.
_SMALL_CPU_S, _SMALL_MEMORY_BYTES = 0.2, 192 * _MIB
# Photos that are decoded already come first where processor cores are short, and large ones last: by a third each.
_SMALL_NICENESS, _LARGE_NICENESS = 5, 10
_LARGE_SHARE = 4  # at most this fraction of the queue is large photos, so that they leave places to small ones


class PhotoDecoding:
    """Decode photos to inputs of the backbone.

    Args:
        spec: The backbone.
        settings: Settings of the service.
        metrics: Metrics to update.
    """

    def __init__(self, spec: BackboneSpec, settings: ServingSettings, metrics: ServiceMetrics) -> None:
        self._spec, self._metrics = spec, metrics
        self._most_large = max(1, settings.max_queue // _LARGE_SHARE)
        self._large_waiting = 0
        lanes = (
            Lane(
                name=SMALL,
                workers=settings.decoders,
                cpu_s=_SMALL_CPU_S,
                memory_bytes=_SMALL_MEMORY_BYTES,
                niceness=_SMALL_NICENESS,
                options={"small_only": True},
            ),
            Lane(
                name=LARGE,
                workers=1,
                cpu_s=settings.decode_cpu_s,
                memory_bytes=settings.decode_memory_mib * _MIB,
                niceness=_LARGE_NICENESS,
            ),
        )
        self._threads = {lane.name: ThreadPoolExecutor(lane.workers, f"decode-{lane.name}") for lane in lanes}
        self._bytes = spec.input_px**2 * 3
        self._frames = bool(spec.crop or spec.upright)
        self._decoders = Decoders(
            _FRAMED_FUNCTION if self._frames else _FUNCTION,
            lanes,
            sample=self._message(generated_photo(), WHOLE),
            options=rgb_options(spec) | ({"margin": spec.margin} if self._frames else {}),
            max_answer_bytes=max(self._bytes, _MIB),
            on_replaced=self._replaced,
        )

    def start(self) -> None:
        """Start the processes; `check` says whether they work."""
        self._decoders.start()

    def close(self) -> None:
        """End the processes; photos that are being decoded are refused."""
        self._decoders.close()
        for threads in self._threads.values():
            threads.shutdown(cancel_futures=True)

    def check(self) -> None:
        """Raise if no decoder process works.

        Raises:
            RefusalError: none can be started.
        """
        try:
            self._decoders.check()
        except DecodersDownError as err:
            raise RefusalError(Code.NOT_READY, str(err)) from err

    def _message(self, photo: bytes, frame: Frame) -> bytes:
        """Return what a decoder process gets."""
        return prefixed(frame, photo) if self._frames else photo

    async def pixels(self, photo: bytes, *, frame: Frame = WHOLE, within_s: float) -> Floats:
        """Return the backbone's input for a photo, float32 of shape (3, H, W).

        Args:
            photo: Content of an image file.
            frame: The part to classify, and how to turn it.
            within_s: Time that is left, in seconds; a photo that has not been begun by then is not decoded.

        Raises:
            PhotoError: the photo cannot be used, or the box reaches out of it.
            RefusalError: too many large photos are waiting, no decoder process works, or the models take no frame.
        """
        check_takes(self._spec, frame)
        photo = self._message(photo, frame)
        deadline = time.monotonic() + within_s
        loop = asyncio.get_running_loop()
        try:
            pixels = await loop.run_in_executor(self._threads[SMALL], self._decode_small, photo, deadline)
            if pixels is None:
                with self._place_among_the_large():
                    pixels = await loop.run_in_executor(self._threads[LARGE], self._decode, photo, LARGE, deadline)
        except DecodersDownError as err:
            raise RefusalError(Code.NOT_READY, str(err)) from err
        except PhotoError as err:
            if err.reason == Reason.TOO_COSTLY:
                self._metrics.too_costly.inc()
            raise
        return pixels

    def _decode_small(self, photo: bytes, deadline: float) -> Floats | None:
        """Decode a small photo; return None for one that belongs to the large ones."""
        try:
            return self._decode(photo, SMALL, deadline)
        except LimitError as err:
            if err.cause == Cause.WALL_TIME:
                raise
            return None

    def _decode(self, photo: bytes, lane: str, deadline: float) -> Floats:
        # A second more, so that the request's own deadline comes first: a busy service is not the photo's fault.
        pixels = self._decoders.run(photo, lane, wall_s=deadline + 1 - time.monotonic())
        if len(pixels) != self._bytes:
            raise RuntimeError(f"a decoder must return {self._bytes} bytes; it returned {len(pixels)}")
        return normalised_rgb(pixels, self._spec)

    @contextmanager
    def _place_among_the_large(self) -> Iterator[None]:
        if self._large_waiting >= self._most_large:
            raise RefusalError(Code.OVERLOADED, f"{self._large_waiting} large photos are already waiting for answers")
        self._large_waiting += 1
        try:
            yield
        finally:
            self._large_waiting -= 1

    def _replaced(self, lane: str, cause: Cause) -> None:
        self._metrics.decoders_replaced.labels(lane, str(cause)).inc()
