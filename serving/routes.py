"""Routes of the app: predictions, the list of skills, probes and metrics."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from coachworks.photos import Frame, parse_box, parse_turn
from serving.admission import METRICS
from serving.answer_format import ErrorDocument, Health, Prediction, Seen, SkillCard, SkillList
from serving.engine import Engine
from serving.errors import RULES, Code, RefusalError
from serving.metrics import ServiceMetrics

PREDICT, SKILLS = "/v1/predict", "/v1/skills"
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


def add_prediction_routes(app: FastAPI, engine: Engine) -> None:
    """Add `POST /v1/predict` and `GET /v1/skills`."""

    @app.post(
        PREDICT,
        operation_id="predict",
        summary="Classify a photo with the skills.",
        response_model=Prediction,
        responses=_documented_errors(
            *(code for code in Code if code not in {Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED, Code.INTERNAL})
        ),
        openapi_extra=_PHOTO_BODY,
    )
    async def predict(
        request: Request,
        skills: Annotated[
            list[str] | None,
            Query(description="Skills that answer, separated by commas; default: all.", examples=["a,b"]),
        ] = None,
        probabilities: Annotated[bool, Query(description="Include the probability of every label.")] = False,
        box: Annotated[
            str | None,
            Query(
                description="Part of the photo to classify, x1,y1,x2,y2 in pixels of the upright photo, where the "
                "models were trained on boxes; default: the whole photo.",
                examples=["40,60,600,420"],
            ),
        ] = None,
        rotation_degrees: Annotated[
            str | None,
            Query(
                description="Degrees clockwise by which the photo, turned by its EXIF data, must be turned to stand "
                "upright: 0, 90, 180 or 270, where the models were trained on turned photos; default: 0.",
                examples=["90"],
            ),
        ] = None,
    ) -> Response:
        """Classify one photo: all skills share one pass of the backbone."""
        bundle = (await engine.models()).bundle
        names = [name.strip() for part in skills or [] for name in part.split(",") if name.strip()]
        picked = bundle.pick(names or None, only=request.state.skill)
        if names:
            request.state.requested_skills = ",".join(picked)
        frame = _parsed(box, rotation_degrees)
        answers = await engine.answer(request, picked, probabilities=probabilities, frame=frame)
        seen: Seen | None = None if bundle.backbone.crop != "box" else "whole-photo" if frame.box is None else "box"
        turned = frame.turn if bundle.backbone.upright else None
        prediction = Prediction(
            fleet=bundle.fleet, bundle=bundle.digest, seen=seen, turned_degrees=turned, answers=answers
        )
        # Serialised here: FastAPI would validate every answer again, which is noticeably slow with many skills.
        return Response(prediction.model_dump_json(exclude_none=True), media_type="application/json")

    @app.get(
        SKILLS,
        operation_id="skills",
        summary="List the skills of this service.",
        response_model=SkillList,
        responses=_documented_errors(Code.UNAUTHORIZED, Code.NOT_READY),
    )
    async def list_skills(request: Request) -> SkillList:
        """List every skill with its labels and its model's version."""
        bundle = (await engine.models()).bundle
        picked = {name: bundle.skills[name] for name in bundle.pick(None, only=request.state.skill)}
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
                for name, skill in picked.items()
            },
        )


def _parsed(box: str | None, rotation: str | None) -> Frame:
    try:
        part = None if box is None else parse_box(box[:200])
    except ValueError as err:
        raise RefusalError(Code.WRONG_BOX, str(err)) from err
    try:
        return Frame(part, 0 if rotation is None else parse_turn(rotation[:200]))
    except ValueError as err:
        raise RefusalError(Code.WRONG_ROTATION, str(err)) from err


def add_probe_routes(app: FastAPI, engine: Engine, metrics: ServiceMetrics, draining: Path | None) -> None:
    """Add `/livez`, `/healthz`, `/readyz` and `/metrics`."""

    async def alive() -> Health:
        """Answer 200 unless the models failed to load."""
        engine.check_alive()
        return Health(status="ok")

    for path in ("/livez", "/healthz"):
        app.get(
            path,
            operation_id=path.strip("/"),
            summary="Liveness probe.",
            response_model=Health,
            responses=_documented_errors(Code.NOT_READY),
        )(alive)

    @app.get(
        "/readyz",
        operation_id="readyz",
        summary="Readiness probe.",
        response_model=Health,
        responses=_documented_errors(Code.NOT_READY),
    )
    async def ready() -> Health:
        """Answer 200 once every model has classified a generated photo, until the pod drains."""
        engine.check_ready()
        if draining is not None and draining.exists():
            raise RefusalError(Code.NOT_READY, "the pod is about to stop")
        return Health(status="ok")

    @app.get(
        METRICS,
        operation_id="metrics",
        summary="Metrics for Prometheus.",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The metrics."},
            **_documented_errors(Code.UNAUTHORIZED, Code.NOT_FOUND),
        },
    )
    async def metrics_page() -> Response:
        """Report requests, errors, times, batches, answers and models; not on the port of a single skill."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _documented_errors(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """Build the OpenAPI entries of errors: one per status, with its codes in the description."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(RULES[code].status, []).append(f"`{code}`")
    return {
        status: {"model": ErrorDocument, "description": " or ".join(names)}
        for status, names in sorted(by_status.items())
    }
