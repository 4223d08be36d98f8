"""Outcome of a skill in the latest run, for commands that find no model of it."""

from coachworks.errors import NotFoundError
from coachworks.results import ReportError, latest, load
from coachworks.runs import CANCELLED, FAILED, INTERRUPTED, RUNNING, SUCCEEDED, latest_run, read_errors
from coachworks.store import Store
from coachworks.wording import pipeline_command
from components.register.report import RegisterReport, Registration

_ENDED = {FAILED: "failed", INTERRUPTED: "was interrupted", CANCELLED: "was cancelled"}


def why_not_registered(store: Store, skill: str) -> str:
    """Return the sentences that explain why a skill has no model, with the way out, from the latest run on the store.

    Args:
        store: The fleet's store.
        skill: The skill.
    """
    registrations = _latest_registrations(store)
    if registrations is None:
        return describe_unfinished(store) or f"Run the pipeline: {pipeline_command(store.uri)}."
    outcome = registrations.get(skill)
    if outcome is None:
        not_included = (
            f"The latest run did not include {skill!r}. Run the pipeline with it: {pipeline_command(store.uri)}."
        )
        return describe_unfinished(store) or not_included
    if outcome.champion_version is not None:
        return (
            f"The latest run registered version {outcome.champion_version}: in another MLflow, or it was removed "
            "since. Compare `spec.tracking` with that of the run, or run again."
        )
    reason = outcome.reason.rstrip(".")
    return f"The latest run did not register {skill!r}: {reason}. `coachworks status` shows the run."


def describe_unfinished(store: Store) -> str | None:
    """Return the sentences about a latest run that did not succeed, with the way out; None without such a run."""
    try:
        run = latest_run(store)
    except NotFoundError:
        return None
    if run.state == SUCCEEDED:
        return None
    if run.state == RUNNING:
        return f"The run {run.id} is under way: `coachworks status` shows it."
    errors = read_errors(store, run.id)
    cause = f" in {errors[0]['step']}: {str(errors[0]['message']).splitlines()[0].rstrip('.')}" if errors else ""
    return f"The latest run, {run.id}, {_ENDED[run.state]}{cause}. `coachworks status` shows it."


def _latest_registrations(store: Store) -> dict[str, Registration] | None:
    """Return the registrations of the latest run that packaged; None where there is none, or of another version."""
    try:
        package = load(store, "package", latest(store, "package"))
        reports = [load(store, RegisterReport, key).report for key in package.inputs["register"]]
    except (NotFoundError, ReportError):
        return None
    return {skill: entry for report in reports for skill, entry in report.skills.items()}
