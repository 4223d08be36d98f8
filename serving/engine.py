"""The engine behind the HTTP interface: loads the models, decodes photos, batches them, knows whether it is ready."""

import asyncio
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Self

from starlette.requests import Request

from coachworks.photos import FORMATS
from serving.answer_format import Answer
from serving.batcher import MicroBatcher
from serving.bundle import Bundle
from serving.errors import Code, RefusalError
from serving.metrics import Instruments
from serving.predictor import Floats, Predictor, Query
from serving.settings import ServingSettings
from serving.upload import UploadBudget, uploaded_photo

logger = logging.getLogger(__name__)

_LARGE_PIXELS = 12_000_000  # up to 9 bytes each while they are decoded; larger photos are decoded one at a time


class Engine:
    """Answers requests with a predictor; an asynchronous context manager.

    Args:
        load: Gives the models; called in a thread, so that the process answers its probes meanwhile.
        settings: How the service works.
        instruments: What is counted.
        patient: Whether questions wait for models that are being loaded, as long as for an answer; else they are
            refused. In a pod it is a new worker that loads them, and those who ask were sent to the one before it.
    """

    def __init__(
        self,
        load: Callable[[], Predictor],
        settings: ServingSettings,
        instruments: Instruments,
        *,
        patient: bool = False,
    ) -> None:
        self._load, self._settings, self._instruments, self._patient = load, settings, instruments, patient
        self._predictor: Predictor | None = None
        self._failure: str | None = None
        self._in_progress = 0
        self._budget = UploadBudget(settings.max_upload_bytes)
        self._one_large = Lock()

    async def __aenter__(self) -> Self:
        self._decoders = ThreadPoolExecutor(self._settings.decode_threads, thread_name_prefix="decode")
        self._batcher = MicroBatcher[Query, dict[str, Answer]](
            self._run,
            max_batch=self._settings.max_batch,
            max_wait_s=self._settings.max_wait_ms / 1000,
            expected=lambda: self._in_progress,
            observe=self._instruments.batch_photos.observe,
        )
        self._batcher.start()
        self._starting = asyncio.get_running_loop().create_task(self._start())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._starting.cancel()
        await asyncio.gather(self._starting, return_exceptions=True)
        await self._batcher.stop()
        self._decoders.shutdown()

    async def _start(self) -> None:
        def warm() -> Predictor:
            predictor = self._load()
            predictor.warm_up()
            return predictor

        try:
            predictor = await asyncio.to_thread(warm)
        except Exception as err:  # the process stays, so that its probes and its log say why it is not ready
            self._failure = str(err) or type(err).__name__
            logger.exception("the models cannot be loaded")
            return
        self._instruments.show(predictor.bundle)
        self._predictor = predictor

    def check_alive(self) -> None:
        """Refuse where the models cannot be loaded.

        Raises:
            RefusalError: they cannot.
        """
        if self._failure is not None:
            raise RefusalError(Code.NOT_READY, f"the models cannot be loaded: {self._failure}")

    def check_ready(self) -> None:
        """Refuse where the models have not answered a first photo yet.

        Raises:
            RefusalError: they have not.
        """
        self.check_alive()
        if self._predictor is None:
            raise RefusalError(Code.NOT_READY, "the models are being loaded")

    @property
    def bundle(self) -> Bundle | None:
        """The bundle, once it is loaded."""
        return self._predictor.bundle if self._predictor is not None else None

    @property
    def predictor(self) -> Predictor:
        """The models.

        Raises:
            RefusalError: they are not ready.
        """
        self.check_ready()
        assert self._predictor is not None  # noqa: S101 — check_ready has refused otherwise
        return self._predictor

    async def models(self) -> Predictor:
        """The models, waited for where the engine is patient.

        Raises:
            RefusalError: they are not ready.
        """
        if self._patient:
            await asyncio.wait({self._starting}, timeout=self._settings.answer_timeout_s)
        return self.predictor

    async def answer(self, request: Request, skills: tuple[str, ...], *, probabilities: bool) -> dict[str, Answer]:
        """The answers to the photo in `request`.

        Raises:
            RefusalError: it holds no photo, or the service has as much to do as it can hold.
            PhotoError: the photo cannot be used.
        """
        predictor, settings = self.predictor, self._settings
        async with uploaded_photo(
            request, max_bytes=settings.max_body_bytes, timeout_s=settings.upload_timeout_s, budget=self._budget
        ) as photo:
            with self._place_in_queue():
                try:
                    async with asyncio.timeout(settings.answer_timeout_s):
                        pixels = await asyncio.get_running_loop().run_in_executor(
                            self._decoders, self._prepare, predictor, photo
                        )
                        answers = await self._batcher.submit(Query(pixels, skills, probabilities))
                except TimeoutError as err:
                    raise RefusalError(
                        Code.OVERLOADED, f"an answer must be there after {settings.answer_timeout_s} s; it was not"
                    ) from err
        for skill, answer in answers.items():
            self._instruments.answers.labels(skill, answer.label).inc()
        return answers

    @contextmanager
    def _place_in_queue(self) -> Iterator[None]:
        if self._in_progress >= self._settings.max_queue:
            raise RefusalError(Code.OVERLOADED, f"{self._in_progress} photos are waiting for their answers already")
        self._in_progress += 1
        self._instruments.in_progress.set(self._in_progress)
        try:
            yield
        finally:
            self._in_progress -= 1
            self._instruments.in_progress.set(self._in_progress)

    def _prepare(self, predictor: Predictor, photo: bytes) -> Floats:
        with self._one_large if _claimed_pixels(photo) > _LARGE_PIXELS else nullcontext():
            return predictor.prepare(photo)

    def _run(self, queries: Sequence[Query]) -> list[dict[str, Answer]]:
        return self.predictor.answer_queries(queries)


def _claimed_pixels(photo: bytes) -> int:
    """Width times height as the file's header claims; 0 where it has none that can be read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(photo), formats=FORMATS) as image:
            return image.width * image.height
    except Exception:  # the decoder finds the words for it
        return 0
