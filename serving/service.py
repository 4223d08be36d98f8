"""The service as BentoML runs it: `bentoml serve` on the bento, or on `serving.service:Answers`.

The bundle is the folder in COACHWORKS_BUNDLE, else `bundle/` beside this package in the bento. In a pod, the folder in
COACHWORKS_RELEASE holds the manifest of the models that the bundle must hold. Decision 0018 lists the parts of BentoML
that are used.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import bentoml

from serving.api_keys import api_keys_of
from serving.app import create_app
from serving.bundle import load_bundle
from serving.certificate import certificate_of
from serving.draining import draining_file
from serving.http_connection import use_on_every_port
from serving.pod_config import BUNDLE_VARIABLE, pod_config_of
from serving.predictor import Predictor
from serving.settings import ServingSettings
from serving.sockets import inherited_sockets
from serving.worker_restart import replace_dead_workers


def bundle_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of the bundle."""
    folder = environ.get(BUNDLE_VARIABLE)
    return Path(folder) if folder else Path(__file__).resolve().parent.parent / "bundle"


def _load() -> Predictor:
    manifest = POD.manifest if POD is not None else None
    return Predictor(load_bundle(BUNDLE, manifest), SETTINGS.threads or None)


SETTINGS = ServingSettings.from_environ()
BUNDLE = bundle_folder()
POD = pod_config_of()
app = create_app(
    _load,
    SETTINGS,
    pod=POD,
    socket_fds=inherited_sockets(),
    draining=draining_file(),
    keys=api_keys_of(),
    certificate=certificate_of(),
)
use_on_every_port(app.state.http_protocol)


@bentoml.service(
    name="answers",
    workers=1,  # one process per pod: the backbone uses all cores, and the batcher sees every request
    traffic={"timeout": 120},  # our own limits for uploads and answers are tighter, and their errors have the one shape
    metrics={"enabled": False},  # `serving.metrics` has ours, at /metrics
    logging={"access": {"enabled": False}},  # `serving.access_log` writes ours, as JSON
)
@bentoml.asgi_app(app, path="/")  # so that BentoML runs its lifespan; requests reach it without BentoML
class Answers:
    """Every skill of the fleet, over HTTP."""

    @bentoml.on_deployment
    @staticmethod
    def watch_worker() -> None:
        """Install the handler for dead workers; BentoML calls this in the supervisor, before the worker starts."""
        if POD is not None:
            replace_dead_workers()
