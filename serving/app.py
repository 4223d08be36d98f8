"""The HTTP interface as a FastAPI app: photos in, answers out, every error in one shape."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from coachworks import __version__
from serving.access_log import AccessLog
from serving.admission import METRICS, OPENAPI, Admission
from serving.api_keys import ApiKeys
from serving.certificate import Certificate
from serving.draining import Draining
from serving.early_refusals import EarlyRefusals
from serving.engine import Engine
from serving.error_handlers import add_error_handlers
from serving.http_connection import http_protocol
from serving.metrics import ServiceMetrics
from serving.open_connections import OpenConnections
from serving.pod_config import PodConfig
from serving.predictor import Predictor
from serving.response_headers import ResponseHeaders
from serving.routes import PREDICT, SKILLS, add_prediction_routes, add_probe_routes
from serving.settings import ServingSettings
from serving.skill_ports import serve_skill_ports
from serving.tls_connection import tls_protocol

DEFAULT_SETTINGS = ServingSettings()


def create_app(
    load: Callable[[], Predictor],
    settings: ServingSettings = DEFAULT_SETTINGS,
    *,
    pod: PodConfig | None = None,
    socket_fds: Sequence[int] = (),
    draining: Path | None = None,
    keys: ApiKeys | None = None,
    certificate: Certificate | None = None,
) -> FastAPI:
    """Create the service as an ASGI app.

    `app.state.engine` knows whether it is ready; `app.state.http_protocol` is the protocol of its connections, for
    uvicorn.

    Args:
        load: Loads the models; called in a thread once the app has started.
        settings: Settings of the service.
        pod: Configuration of the pod; each of its ports serves one skill. None: not in a pod.
        socket_fds: File descriptors of the sockets that listen on those ports.
        draining: File that makes clients reconnect elsewhere while it exists; None: never.
        keys: API keys, one of which every request must carry; None: they need none.
        certificate: Certificate with which every port speaks TLS; None: plain HTTP.
    """
    metrics = ServiceMetrics()
    engine = Engine(load, settings, metrics, wait_for_models=pod is not None)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine, serve_skill_ports(app, socket_fds, app.state.http_protocol):
            yield

    app = FastAPI(
        title="coachworks",
        version=__version__,
        summary="A fleet of image classifiers: one photo in, every skill's answer out.",
        lifespan=lifespan,
        docs_url=None,  # the page would load scripts from a CDN
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.engine = engine
    ports, identity = pod.ports if pod else {}, _identity(engine, pod)
    early = EarlyRefusals(engine.waiting_room, metrics, path=PREDICT, ports=ports, identity=identity)
    connections = OpenConnections(settings, metrics)
    app.state.http_protocol = http_protocol(app, connections, early)
    if certificate is not None:
        app.state.http_protocol = tls_protocol(certificate, connections, app.state.http_protocol)
    app.add_middleware(Admission, ports=ports, keys=keys)  # the middleware added last is the outermost
    app.add_middleware(
        AccessLog,
        metrics=metrics,
        paths=frozenset({PREDICT, SKILLS, METRICS, OPENAPI}),
        ports=ports,
        identity=identity,
    )
    if draining is not None:
        app.add_middleware(Draining, file=draining)
    app.add_middleware(ResponseHeaders)
    add_prediction_routes(app, engine)
    add_probe_routes(app, engine, metrics, draining)
    add_error_handlers(app)
    return app


def _identity(engine: Engine, pod: PodConfig | None) -> Callable[[], Mapping[str, str | None]]:
    """Return a function for the log's fields about the service: constant in a pod, else from the loaded bundle."""
    if pod is not None:
        fields = {
            "fleet": pod.manifest.fleet,
            "bundle": pod.manifest.digest()[:12],
            "group": pod.group,
            "track": pod.track,
        }
        return lambda: fields

    def loaded() -> Mapping[str, str | None]:
        fleet, digest = (engine.bundle.fleet, engine.bundle.digest) if engine.bundle else (None, None)
        return {"fleet": fleet, "bundle": digest, "group": None, "track": None}

    return loaded
