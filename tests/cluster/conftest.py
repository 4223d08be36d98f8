"""The cluster that tests marked `cluster` run on, the images in it, a namespace for each part, and a deployed fleet."""

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
    """Note how long it takes to prepare something that is not tested here."""
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
    """A name of this session's own, for whatever must not meet that of another."""
    return f"cw-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="session")
def image(lab: Lab) -> Callable[[str], str]:
    """Build a target of the Dockerfile and load it into the cluster, once; its name."""
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
    """MLflow for the pipelines' runs; the Secret `SESSION-mlflow` in their namespace tells of it."""
    made = MlflowRelease(lab, f"{session_name}-tracking", image("platform"))
    made.make_namespace()
    try:
        made.upgrade(f"pipelines.namespace={PIPELINES}", f"pipelines.secretName={session_name}-mlflow")
        yield made
    finally:
        made.remove()
        lab.kubectl("-n", PIPELINES, "delete", "secret", f"{session_name}-mlflow", "--ignore-not-found")


_SERVED = pytest.StashKey[tuple[ExitStack, ServingFleet, Load]]()


@pytest.fixture(scope="session")
def derived(lab: Lab, image: Callable[[str], str]) -> Callable[[str, Path], None]:
    """Build, under a name, what a folder makes of the serving image, and load it into the cluster."""

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
    """A fleet that is installed, and its load: made for the first module that asks, removed after the last."""
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
    """The installed fleet, its first versions in place; what a test changes in the fleet file is taken back."""
    fleet, _ = _served
    yield fleet
    fleet.tell()


@pytest.fixture
def load(_served: tuple[ServingFleet, Load]) -> Load:
    """Somebody who asks every skill of the installed fleet, all the time."""
    return _served[1]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what preparations took, and the requests to deployed fleets while they were changed."""
    if PREPARED:
        terminalreporter.section("preparations")
        for subject, seconds in PREPARED:
            terminalreporter.write_line(f"{seconds:6.0f} s  {subject}")
        terminalreporter.write_line(f"{sum(seconds for _, seconds in PREPARED):6.0f} s  all")
    if CASES:
        terminalreporter.section("requests to deployed fleets")
        for case in CASES:
            terminalreporter.write_line(str(case))
