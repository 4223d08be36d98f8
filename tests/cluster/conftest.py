"""The cluster of the tests marked `cluster`, the images in it, MLflow, and a deployed fleet."""

import hashlib
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from load import Counted, Load, start_load
from mlflow_release import MlflowRelease
from serving_fleet import ServingFleet, serving_fleet

from components import container_images
from lab import PIPELINES, Lab, running_lab

REPOSITORY = Path(__file__).parents[2]
PREPARED: list[
    tuple[str, float]
] = []  # seconds that the cluster's start and each image took, for the end of the session
CASES: list[Counted] = []  # requests to deployed fleets, for the same place


@contextmanager
def preparing(subject: str) -> Iterator[None]:
    """Record how long a preparation takes, for the end of the session."""
    begun = time.monotonic()
    yield
    PREPARED.append((subject, time.monotonic() - begun))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The cluster with Kubeflow Pipelines; stopped afterwards if it was started here."""
    with ExitStack() as stack:
        with preparing("the cluster's start"):
            lab = stack.enter_context(running_lab())
        yield lab


@pytest.fixture(scope="session")
def session_name() -> str:
    """A name that no other session uses."""
    return f"cw-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="session")
def image(lab: Lab) -> Callable[[str], str]:
    """A function that builds a target of the Dockerfile, loads it into the cluster, once, and returns its name."""
    built: set[str] = set()

    def build(target: str) -> str:
        name = container_images.tag(target)
        if target not in built:
            environ = lab.client | {"COACHWORKS_LAB": str(lab.scripts)}
            command = [REPOSITORY / "tests/support/lab-image", name, target]
            with preparing(f"the image {target}"):
                subprocess.run(command, env=environ, check=True, timeout=1200)
            built.add(target)
        return name

    return build


@pytest.fixture(scope="session")
def platform(lab: Lab, session_name: str, image: Callable[[str], str]) -> Iterator[MlflowRelease]:
    """MLflow for the pipelines' runs, with the Secret `SESSION-mlflow` in their namespace."""
    release = MlflowRelease(lab, f"{session_name}-tracking", image("platform"))
    release.make_namespace()
    try:
        release.upgrade(f"pipelines.namespace={PIPELINES}", f"pipelines.secretName={session_name}-mlflow")
        yield release
    finally:
        release.remove()
        lab.kubectl("-n", PIPELINES, "delete", "secret", f"{session_name}-mlflow", "--ignore-not-found")


_SERVED = pytest.StashKey[tuple[ExitStack, ServingFleet, Load]]()


@pytest.fixture(scope="session")
def derived(lab: Lab, image: Callable[[str], str]) -> Callable[[str, Path], None]:
    """A function that builds an image from the serving image and a folder, and loads it into the cluster."""

    def build(name: str, folder: Path) -> None:
        script = REPOSITORY / "tests/support/derived-image"
        environ = lab.client | {"COACHWORKS_LAB": str(lab.scripts)}
        command = [script, name, image("serving"), folder]
        with preparing(f"the image {name}"):
            subprocess.run(command, env=environ, check=True, timeout=600)

    return build


@pytest.fixture(scope="session")
def faulty(image: Callable[[str], str], derived: Callable[[str, Path], None]) -> str:
    """The serving image, with faults that the variable FAULT chooses."""
    serving, folder = image("serving"), REPOSITORY / "tests/support/faulty"
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()))
    name = f"{serving.replace('serving', 'faulty', 1)}-{digest.hexdigest()[:8]}"
    derived(name, folder)
    return name


@pytest.fixture(scope="module")
def _served(
    request: pytest.FixtureRequest,
    lab: Lab,
    session_name: str,
    image: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ServingFleet, Load]]:
    """An installed fleet and its load: created for the first module that needs it, removed after the last."""
    stash = request.config.stash
    if _SERVED not in stash:
        with ExitStack() as stack:
            serving, folder = image("serving"), tmp_path_factory.mktemp("serving")
            fleet = stack.enter_context(serving_fleet(lab, f"{session_name}-serving", folder, serving))
            fleet.deploy()
            load = start_load(
                lab, fleet.name, "load", image=serving, photo=fleet.photo, targets=fleet.targets, cases=CASES
            )
            stash[_SERVED] = stack.pop_all(), fleet, load
    _, fleet, load = stash[_SERVED]
    yield fleet, load
    here = request.node.nodeid
    left = request.session.items[[item.nodeid.startswith(here) for item in request.session.items].index(True) :]
    if not any("_served" in item.fixturenames and not item.nodeid.startswith(here) for item in left):
        stash[_SERVED][0].close()
        del stash[_SERVED]


@pytest.fixture
def served(_served: tuple[ServingFleet, Load]) -> Iterator[ServingFleet]:
    """The installed fleet with its first versions; changes of the fleet file are undone after the test."""
    fleet, _ = _served
    yield fleet
    fleet.tell()


@pytest.fixture
def load(_served: tuple[ServingFleet, Load]) -> Load:
    """Clients that send requests to every skill of the installed fleet all the time."""
    return _served[1]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the time of preparations, and the requests to deployed fleets while they were changed."""
    if PREPARED:
        terminalreporter.section("preparations")
        for subject, seconds in PREPARED:
            terminalreporter.write_line(f"{seconds:6.0f} s  {subject}")
        terminalreporter.write_line(f"{sum(seconds for _, seconds in PREPARED):6.0f} s  all")
    if CASES:
        terminalreporter.section("requests to deployed fleets")
        for case in CASES:
            terminalreporter.write_line(str(case))
