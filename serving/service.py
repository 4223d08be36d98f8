"""The service as BentoML runs it: `bentoml serve` on the bento, or on `serving.service:Answers`.

The bundle is the folder that COACHWORKS_BUNDLE names, else `bundle/` beside this package in the bento.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import bentoml

from serving.app import create_app
from serving.bundle import load_bundle
from serving.predictor import Predictor
from serving.refusals import RefusalError
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


@bentoml.service(
    name="answers",
    workers=1,  # one process per pod: the backbone uses the cores, the batcher sees every request
    traffic={"timeout": 120},  # uploads and queues have tighter bounds of their own, with answers in our shape
    metrics={"enabled": False},  # ours are at /metrics
    logging={"access": {"enabled": False}},  # ours is JSON
)
@bentoml.asgi_app(app, path="/")
class Answers:
    """Every skill of the fleet, over HTTP."""

    def __is_alive__(self) -> bool:
        return _passes(app.state.engine.check_alive)

    def __is_ready__(self) -> bool:
        return _passes(app.state.engine.check_ready)


def _passes(check: Callable[[], None]) -> bool:
    try:
        check()
    except RefusalError:
        return False
    return True
