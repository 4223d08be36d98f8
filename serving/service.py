"""The service as BentoML runs it: `bentoml serve` on the bento, or on `serving.service:Answers`.

The bundle is the folder that COACHWORKS_BUNDLE names, else `bundle/` beside this package in the bento. In a pod, the
release in the folder that COACHWORKS_RELEASE names says which models it must hold.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.app import create_app
from serving.bundle import load_bundle
from serving.draining import draining_file
from serving.pod_config import BUNDLE_VARIABLE, release_of
from serving.predictor import Predictor
from serving.settings import ServingSettings
from serving.sockets import inherited
from serving.worker_restart import replace_dead_workers


def bundle_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the bundle is."""
    named = environ.get(BUNDLE_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parent.parent / "bundle"


def _load() -> Predictor:
    manifest = RELEASE.manifest if RELEASE is not None else None
    return Predictor(load_bundle(BUNDLE, manifest), SETTINGS.threads or None)


SETTINGS = ServingSettings.from_environ()
BUNDLE = bundle_folder()
RELEASE = release_of()
app = create_app(_load, SETTINGS, release=RELEASE, listening=inherited(), draining=draining_file())


class _EveryRequest:
    """ASGI middleware: every request goes to our app, so that no path is answered in another shape.

    BentoML has pages and probes of its own, which it would put before a mounted app.
    """

    def __init__(self, bentos: ASGIApp) -> None:
        self._bentos = bentos

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope["type"] == "http" else self._bentos)(scope, receive, send)


@bentoml.service(
    name="answers",
    workers=1,  # one process per pod: the backbone uses the cores, the batcher sees every request
    traffic={"timeout": 120},  # uploads and queues have tighter bounds of their own, with answers in our shape
    metrics={"enabled": False},  # ours are at /metrics
    logging={"access": {"enabled": False}},  # ours is JSON
)
@bentoml.asgi_app(app, path="/")  # mounted too: BentoML then starts and stops it
class Answers:
    """Every skill of the fleet, over HTTP."""

    @bentoml.on_deployment
    @staticmethod
    def look_after_the_worker() -> None:
        """Before the worker starts, in the process that looks after it."""
        if RELEASE is not None:
            replace_dead_workers()


Answers.add_asgi_middleware(_EveryRequest)  # type: ignore[attr-defined] # the decorator made it a service
