"""The service as BentoML runs it: `bentoml serve` on the bento, or on `serving.service:Answers`.

The bundle is the folder that COACHWORKS_BUNDLE names, else `bundle/` beside this package in the bento.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import bentoml
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.app import create_app
from serving.bundle import load_bundle
from serving.predictor import Predictor
from serving.settings import ServingSettings

BUNDLE_VARIABLE = "COACHWORKS_BUNDLE"


def bundle_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the bundle is."""
    named = environ.get(BUNDLE_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parent.parent / "bundle"


def _load() -> Predictor:
    return Predictor(load_bundle(bundle_folder()), SETTINGS.threads or None)


SETTINGS = ServingSettings.from_environ()
app = create_app(_load, SETTINGS)


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


Answers.add_asgi_middleware(_EveryRequest)  # type: ignore[attr-defined] # the decorator made it a service
