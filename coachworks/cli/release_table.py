"""Tables of a release: a deployment, the plan of one, and the status."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from coachworks.cli.console import say
from coachworks.wording import listed

if TYPE_CHECKING:
    from components.deploy.plan import DeploymentPlan
    from components.deploy.report import DeployReport
    from components.deploy.status import ReleaseStatus

_COLOURS = {"+": "green", "~": "yellow", "-": "red"}
_TITLES = {
    "deployed": "Deployed",
    "unchanged": "Nothing to do",
    "awaiting-approval": "Awaiting approval",
    "refused": "Refused",
}
_LISTED_OBJECTS = 4  # of a kind, by name


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, no_wrap=True, style="bold" if index == 0 else None)
    return table


def _print_facts(console: Console, facts: Mapping[str, str], style: str = "bold") -> None:
    for name, words in facts.items():
        say(console, f"[{style}]{name}[/{style}]: ", end="")
        say(console, words, markup=False)


def show_report(report: "DeployReport", console: Console) -> None:
    """Show the result of a deployment."""
    if report.skills:
        table = _table("Skill", "Version", "Before", "Pods", "Service")
        for name, skill in report.skills.items():
            table.add_row(
                name,
                f"v{skill.version}",
                f"v{skill.before}" if skill.before else "–",
                skill.layout,
                f"{skill.service}.{report.namespace}.svc:{skill.port}",
            )
        console.print(table)
    if report.soak:
        table = _table("Soak", "Requests", "Errors", "Median", "95th percentile")
        for row in report.soak:
            table.add_row(
                row.track, str(row.requests), str(row.errors), _milliseconds(row.p50_s), _milliseconds(row.p95_s)
            )
        console.print(table)
    if report.stages:
        stages = ", ".join(f"{stage.name} {stage.seconds:.0f} s" for stage in report.stages)
        say(console, stages, style="dim")
    for change in report.mended:
        say(console, f"Taken back: {change}", markup=False)
    _print_facts(console, {**report.left_out, **report.awaiting})
    revision = f"release {report.release}, revision {report.revision}" if report.revision else "nothing is deployed"
    say(console, f"{_TITLES[report.status]}: {revision}, namespace {report.namespace}.")


def _milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.0f} ms"


def show_drift(plan: "DeploymentPlan", console: Console) -> None:
    """Show what was changed by hand on the cluster, and what could not be compared."""
    if plan.drift:
        say(console, "Changed by hand since the last revision; the deployment takes it back:", style="yellow")
    for change in plan.drift:
        say(console, f"  {change}", markup=False)
    _print_facts(console, {f"{name} could not be compared": reason for name, reason in plan.not_compared.items()})


def show_plan(plan: "DeploymentPlan", console: Console, *, diff: bool = False) -> None:
    """Show the plan of a deployment.

    Args:
        plan: The plan.
        console: Receives the text.
        diff: Show the changed lines of the objects too.
    """
    table = _table("Skill", "Version", "Planned", "Pods", "Service")
    gone = {removal.name for removal in plan.removals}
    for name, skill in plan.skills.items():
        table.add_row(
            name,
            f"v{skill.before}" if skill.before else "–",
            f"v{skill.after}" if skill.after else "–",
            _change(skill.layout_before, skill.layout_after),
            _change(skill.service_before, skill.service_after),
            style=_COLOURS["-"] if name in gone else None,
        )
    console.print(table)
    _print_facts(console, {**plan.left_out, **plan.awaiting})
    show_drift(plan, console)
    if not plan.changes:
        say(console, f"Nothing to do: release {plan.release} in the namespace {plan.namespace} is up to date.")
        return
    _show_objects(plan, console)
    if diff:
        console.print(Syntax(plan.diff, "diff", background_color="default", word_wrap=False))
    else:
        say(console, "`coachworks deploy --diff` shows the changed lines.", style="dim")
    for stage in plan.stages:
        say(console, f"Plan: {stage}.")
    for label, reasons in (("Removed", plan.removals), ("Taken", plan.conflicts)):
        for reason in reasons:
            if str(reason) not in plan.refusal:
                say(console, f"{label}: {reason}", style=_COLOURS["-"], markup=False)
    if plan.refusal:
        say(console, f"Refused: {plan.refusal}", style=_COLOURS["-"], markup=False)


def _change(before: str | None, after: str | None) -> str:
    if before is None or after is None or before == after:
        return str(after or before)
    return f"{before} → {after}"


def _show_objects(plan: "DeploymentPlan", console: Console) -> None:
    """Print a line for each kind of object that is added, changed or removed; those that are removed by name."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for name, mark in plan.objects.items():
        kind, _, own_name = name.partition(" ")
        kinds.setdefault((mark, kind), []).append(own_name)
    width = max((len(kind) for _, kind in kinds), default=0)
    for mark, colour in _COLOURS.items():
        for (each, kind), names in kinds.items():
            if each == mark:
                most = len(names) if mark == "-" else _LISTED_OBJECTS
                text = f"{mark} {kind:<{width}}  {len(names):>3}  {listed(names, most)}"
                say(console, text, style=colour, markup=False)
    console.print()


def show_release_status(status: "ReleaseStatus", console: Console) -> None:
    """Show the status of a release."""
    say(
        console,
        f"Release [bold]{status.release}[/bold], namespace {status.namespace}, revision {status.revision}: "
        f"{status.description}",
    )
    table = _table("Skill", "Version", "Digest", "Pods", "Ready", "Service")
    for skill in status.skills:
        table.add_row(
            skill.name,
            f"v{skill.version}",
            skill.digest[:12],
            skill.layout,
            f"{skill.ready}/{skill.desired}" + (f" +{skill.canary} canary" if skill.canary else ""),
            f"{skill.service}:{skill.port}",
        )
    console.print(table)
    _print_facts(console, status.problems, "red")
