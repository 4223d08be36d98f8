"""The latest package of a fleet, for the commands that answer from it."""

from pathlib import Path

from coachworks.errors import NotFoundError
from coachworks.fleet.reader import read_fleet
from coachworks.result import Result
from coachworks.results import latest, load
from coachworks.store import Store, open_store
from coachworks.wording import pipeline_command
from components.package.report import PackageReport
from components.register.latest_outcome import describe_unfinished


def latest_package(file: Path) -> tuple[Store, Result[PackageReport]]:
    """Return the store of the fleet that `file` describes, and the latest result of package in it.

    Raises:
        NotFoundError: nothing is packaged, or no skill has a champion.
    """
    fleet = read_fleet(file)
    store = open_store(fleet.spec.store)
    try:
        result = load(store, PackageReport, latest(store, "package"))
    except NotFoundError as err:
        way_out = describe_unfinished(store) or f"Run {pipeline_command(store.uri, f'-f {file}')} first."
        raise NotFoundError(f"nothing is packaged yet for the fleet {fleet.name!r}. {way_out}") from err
    if not result.report.skills:
        reasons = "".join(f"\n  {skill}: {reason}" for skill, reason in result.report.left_out.items())
        raise NotFoundError(
            f"no skill of the fleet {fleet.name!r} has a model to answer with:{reasons}\n"
            f"`coachworks status -f {file}` says what to do next."
        )
    return store, result
