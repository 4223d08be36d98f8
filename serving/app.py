"""The HTTP interface as a FastAPI app: photos in, answers out, every error in one shape."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.responses import Response

from coachworks import __version__
from coachworks.errors import PhotoError
from serving.access_log import AccessLog
from serving.answer_format import ErrorDocument, Health, Prediction, SkillCard, SkillList
from serving.draining import Draining
from serving.engine import Engine
from serving.errors import RULES, Code, RefusalError, refusal_of
from serving.metrics import Instruments
from serving.pod_config import Release
from serving.predictor import Predictor
from serving.settings import ServingSettings
from serving.skill_ports import answering

logger = logging.getLogger(__name__)

PREDICT, SKILLS = "/v1/predict", "/v1/skills"
DEFAULT_SETTINGS = ServingSettings()
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PHOTO_BODY = {
    "requestBody": {
        "required": True,
        "description": "One photo: its bytes, or a form with one file in the field `photo`.",
        "content": {
            "image/*": _BINARY,
            "application/octet-stream": _BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["photo"],
                    "properties": {"photo": {"type": "string", "format": "binary", "description": "The photo."}},
                }
            },
        },
    }
}


def create_app(
    load: Callable[[], Predictor],
    settings: ServingSettings = DEFAULT_SETTINGS,
    *,
    release: Release | None = None,
    listening: Sequence[int] = (),
    draining: Path | None = None,
) -> FastAPI:
    """The service as an ASGI app. `app.state.engine` tells whether it is ready.

    Args:
        load: Gives the models; called in a thread once the app has started.
        settings: How the service works.
        release: What it belongs to, in a pod; its ports answer one skill each.
        listening: Descriptors of the sockets that listen on those ports.
        draining: The file that asks clients to leave while it exists.
    """
    instruments = Instruments()
    engine = Engine(load, settings, instruments, patient=release is not None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine, answering(app, listening):
            yield

    app = FastAPI(
        title="coachworks",
        version=__version__,
        summary="A fleet of image classifiers: one photo in, every skill's answer out.",
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.engine = engine
    app.add_middleware(
        AccessLog,
        instruments=instruments,
        paths=frozenset({PREDICT, SKILLS, "/openapi.json"}),
        ports=release.ports if release else {},
        identity=_identity(engine, release),
    )
    if draining is not None:
        app.add_middleware(Draining, file=draining)
    _add_questions(app, engine)
    _add_probes(app, engine, instruments, draining)
    _add_refusals(app)
    return app


def _identity(engine: Engine, release: Release | None) -> Callable[[], Mapping[str, str | None]]:
    """Who answers, for the log: known from the beginning in a pod, else once the models are loaded."""
    if release is not None:
        fleet, digest = release.manifest.fleet, release.manifest.digest()[:12]
        known = {"fleet": fleet, "release": digest, "group": release.group, "track": release.track}
        return lambda: known

    def loaded() -> Mapping[str, str | None]:
        fleet, digest = (engine.bundle.fleet, engine.bundle.digest) if engine.bundle else (None, None)
        return {"fleet": fleet, "release": digest, "group": None, "track": None}

    return loaded


def _add_questions(app: FastAPI, engine: Engine) -> None:
    @app.post(
        PREDICT,
        operation_id="predict",
        summary="Ask the skills about a photo.",
        response_model=Prediction,
        responses=_documented(
            *(code for code in Code if code not in {Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED, Code.INTERNAL})
        ),
        openapi_extra=_PHOTO_BODY,
    )
    async def predict(
        request: Request,
        skills: Annotated[
            list[str] | None,
            Query(description="The skills to ask, separated by commas; all, where it is left out.", examples=["a,b"]),
        ] = None,
        probabilities: Annotated[bool, Query(description="Give the probability of every label too.")] = False,
    ) -> Response:
        """One photo, all skills, one pass of the backbone."""
        bundle = (await engine.models()).bundle
        names = [name.strip() for part in skills or [] for name in part.split(",") if name.strip()]
        picked = bundle.pick(names or None, only=request.state.skill)
        if names:
            request.state.asked = ",".join(picked)
        answers = await engine.answer(request, picked, probabilities=probabilities)
        prediction = Prediction(fleet=bundle.fleet, bundle=bundle.digest, answers=answers)
        # Written here: FastAPI would validate every answer once more, which is felt with many skills.
        return Response(prediction.model_dump_json(exclude_none=True), media_type="application/json")

    @app.get(
        SKILLS,
        operation_id="skills",
        summary="The skills that this service answers.",
        response_model=SkillList,
        responses=_documented(Code.NOT_READY),
    )
    async def list_skills(request: Request) -> SkillList:
        """Every skill with its labels and its model's version."""
        bundle = (await engine.models()).bundle
        cards = {name: bundle.skills[name] for name in bundle.pick(None, only=request.state.skill)}
        return SkillList(
            fleet=bundle.fleet,
            bundle=bundle.digest,
            backbone=bundle.backbone.name,
            skills={
                name: SkillCard(
                    question=skill.entry.question,
                    labels=list(skill.head.labels),
                    threshold=skill.entry.threshold,
                    model_version=skill.entry.version,
                    kind=skill.entry.kind,
                )
                for name, skill in cards.items()
            },
        )


def _add_probes(app: FastAPI, engine: Engine, instruments: Instruments, draining: Path | None) -> None:
    async def alive() -> Health:
        """The process answers, and its models could be read or are being read."""
        engine.check_alive()
        return Health(status="ok")

    for path in ("/livez", "/healthz"):
        app.get(
            path,
            operation_id=path.strip("/"),
            summary="Is it alive?",
            response_model=Health,
            responses=_documented(Code.NOT_READY),
        )(alive)

    @app.get(
        "/readyz",
        operation_id="readyz",
        summary="Have the models answered a first photo?",
        response_model=Health,
        responses=_documented(Code.NOT_READY),
    )
    async def ready() -> Health:
        """Ready once every model has answered a photo drawn for the purpose."""
        engine.check_ready()
        if draining is not None and draining.exists():
            raise RefusalError(Code.NOT_READY, "the pod is about to stop")
        return Health(status="ok")

    @app.get(
        "/metrics",
        operation_id="metrics",
        summary="Metrics for Prometheus.",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The metrics."}},
    )
    async def metrics() -> Response:
        """Requests, errors, times, batches, answers and models."""
        return Response(generate_latest(instruments.registry), media_type=CONTENT_TYPE_LATEST)


def _add_refusals(app: FastAPI) -> None:
    @app.exception_handler(RefusalError)
    async def refused(request: Request, err: RefusalError) -> JSONResponse:
        request.state.error = str(err.code)
        return JSONResponse(err.document().model_dump(), status_code=err.status, headers=err.headers)

    @app.exception_handler(PhotoError)
    async def unusable(request: Request, err: PhotoError) -> JSONResponse:
        return await refused(request, refusal_of(err))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, err: RequestValidationError) -> JSONResponse:
        first = err.errors()[0]
        name, value = first["loc"][-1], str(first.get("input"))[:80]
        return await refused(request, RefusalError(Code.INVALID_PARAMETER, f"{name}: {first['msg']}; got {value!r}"))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, err: HTTPException) -> JSONResponse:
        if err.status_code == 405:
            refusal = RefusalError(
                Code.METHOD_NOT_ALLOWED, f"{request.url.path} does not take {request.method}", headers=err.headers
            )
        else:
            refusal = RefusalError(Code.NOT_FOUND, f"there is nothing under {request.url.path[:200]!r}")
        return await refused(request, refusal)


def _documented(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the errors: one entry per status, naming its codes."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(RULES[code].status, []).append(f"`{code}`")
    return {
        status: {"model": ErrorDocument, "description": " or ".join(names)}
        for status, names in sorted(by_status.items())
    }
