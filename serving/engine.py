"""The engine behind the HTTP interface: load the models, decode photos, batch them, report readiness."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Self

from starlette.requests import Request

from coachworks.photos import WHOLE, Frame
from serving.answer_format import Answer
from serving.batcher import MicroBatcher
from serving.bundle import Bundle
from serving.decoding import PhotoDecoding
from serving.errors import Code, RefusalError
from serving.metrics import ServiceMetrics
from serving.predictor import Predictor, Query
from serving.settings import ServingSettings
from serving.upload import UploadBudget, uploaded_photo
from serving.waiting_room import WaitingRoom

logger = logging.getLogger(__name__)


class Engine:
    """Answer requests with a predictor; an asynchronous context manager.

    Args:
        load: Loads the models; called in a thread, so that the process answers its probes meanwhile.
        settings: Settings of the service.
        metrics: Metrics to update.
        wait_for_models: Whether requests wait for models that are being loaded, up to `answer_timeout_s`; else they
            are refused. In a pod, a new worker replaces one that died, and its clients' connections are queued already.
    """

    def __init__(
        self,
        load: Callable[[], Predictor],
        settings: ServingSettings,
        metrics: ServiceMetrics,
        *,
        wait_for_models: bool = False,
    ) -> None:
        self._load, self._settings, self._metrics = load, settings, metrics
        self._wait_for_models = wait_for_models
        self._predictor: Predictor | None = None
        self._failure: str | None = None
        self.waiting_room = WaitingRoom(settings.max_queue, metrics.in_progress.set)
        self._budget = UploadBudget(settings.max_upload_bytes)
        self._decoding: PhotoDecoding | None = None
        self._stopped = False

    async def __aenter__(self) -> Self:
        self._batcher = MicroBatcher[Query, dict[str, Answer]](
            self._run,
            max_batch=self._settings.max_batch,
            max_wait_s=self._settings.max_wait_ms / 1000,
            expected=lambda: self.waiting_room.uploaded,
            observe=self._metrics.batch_photos.observe,
        )
        self._batcher.start()
        self._starting = asyncio.get_running_loop().create_task(self._start())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._starting.cancel()
        await asyncio.gather(self._starting, return_exceptions=True)
        await self._batcher.stop()
        self._stopped = True
        if self._decoding is not None:
            await asyncio.to_thread(self._decoding.close)

    async def _start(self) -> None:
        def warm() -> Predictor:
            predictor = self._load()
            decoding = PhotoDecoding(predictor.bundle.backbone, self._settings, self._metrics)
            self._decoding = decoding
            decoding.start()
            if self._stopped:  # while the models were being loaded
                decoding.close()
            predictor.warm_up()
            return predictor

        try:
            predictor = await asyncio.to_thread(warm)
        except Exception as err:  # the process keeps running, so that its probes and its log report the reason
            self._failure = str(err) or type(err).__name__
            logger.exception("the models cannot be loaded")
            return
        self._metrics.set_models(predictor.bundle)
        self._predictor = predictor

    def check_alive(self) -> None:
        """Raise if the models failed to load.

        Raises:
            RefusalError: loading failed.
        """
        if self._failure is not None:
            raise RefusalError(Code.NOT_READY, f"the models cannot be loaded: {self._failure}")

    def check_ready(self) -> None:
        """Raise unless the models are loaded and warmed up, and the decoders work.

        Raises:
            RefusalError: loading failed or is still in progress, or no decoder process works.
        """
        self.check_alive()
        if self._predictor is None or self._decoding is None:
            raise RefusalError(Code.NOT_READY, "the models are being loaded")
        self._decoding.check()

    @property
    def bundle(self) -> Bundle | None:
        """The bundle; None before it is loaded."""
        return self._predictor.bundle if self._predictor is not None else None

    @property
    def predictor(self) -> Predictor:
        """The loaded models.

        Raises:
            RefusalError: the models are not ready.
        """
        self.check_ready()
        assert self._predictor is not None  # noqa: S101 — check_ready raises otherwise
        return self._predictor

    async def models(self) -> Predictor:
        """Return the models, after waiting for them if the engine was created so.

        Raises:
            RefusalError: the models are not ready.
        """
        if self._wait_for_models:
            await asyncio.wait({self._starting}, timeout=self._settings.answer_timeout_s)
        return self.predictor

    async def answer(
        self, request: Request, skills: tuple[str, ...], *, probabilities: bool, frame: Frame = WHOLE
    ) -> dict[str, Answer]:
        """Return the skills' answers about the photo in `request`, or about a part of it.

        Raises:
            RefusalError: the request holds no photo, the models take no such frame, or the service is overloaded.
            PhotoError: the photo cannot be used, or the box reaches out of it.
        """
        self.check_ready()
        assert self._decoding is not None  # noqa: S101 — check_ready raises otherwise
        settings = self._settings
        async with uploaded_photo(
            request,
            max_bytes=settings.max_body_bytes,
            timeout_s=settings.upload_timeout_s,
            budget=self._budget,
            waiting_room=self.waiting_room,
        ) as photo:
            with self.waiting_room.answer():
                try:
                    async with asyncio.timeout(settings.answer_timeout_s):
                        pixels = await self._decoding.pixels(photo, frame=frame, within_s=settings.answer_timeout_s)
                        answers = await self._batcher.submit(Query(pixels, skills, probabilities))
                except TimeoutError as err:
                    raise RefusalError(
                        Code.OVERLOADED, f"the answer was not ready within {settings.answer_timeout_s} s"
                    ) from err
        for skill, answer in answers.items():
            self._metrics.answers.labels(skill, answer.label).inc()
        return answers

    def _run(self, queries: Sequence[Query]) -> list[dict[str, Answer]]:
        return self.predictor.answer_queries(queries)
