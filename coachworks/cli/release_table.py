"""The tables of a release: what a deployment did, what it would do, what answers now."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

if TYPE_CHECKING:
    from components.deploy.plan import Plan
    from components.deploy.releasing import Site
    from components.deploy.status import Standing

_COLOURS = {"+": "green", "~": "yellow", "-": "red"}


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, no_wrap=True, style="bold" if place == 0 else None)
    return table


def _lines(console: Console, facts: Mapping[str, str]) -> None:
    for name, words in facts.items():
        console.print(f"[bold]{name}[/bold]: ", end="")
        console.print(words, markup=False, highlight=False, soft_wrap=True)


def show_report(report: Mapping[str, Any], site: "Site", console: Console) -> None:
    """What a deployment did."""
    if report["skills"]:
        table = _table("Skill", "Version", "Before", "Pods", "Service")
        for name, skill in report["skills"].items():
            before = skill["before"]
            table.add_row(
                name,
                f"v{skill['version']}",
                f"v{before}" if before else "–",
                skill["layout"],
                f"{skill['service']}.{report['namespace']}.svc:{skill['port']}",
            )
        console.print(table)
    if report["bake"]:
        table = _table("Bake", "Requests", "Errors", "Median", "95th percentile")
        for row in report["bake"]:
            table.add_row(row["track"], str(row["requests"]), str(row["errors"]), _ms(row["p50_s"]), _ms(row["p95_s"]))
        console.print(table)
    if report["stages"]:
        took = ", ".join(f"{stage['name']} {stage['seconds']:.0f} s" for stage in report["stages"])
        console.print(took, highlight=False, soft_wrap=True, style="dim")
    _lines(console, {**report["left_out"], **report["awaiting"]})
    words = {"deployed": "Deployed", "unchanged": "Nothing to do", "awaiting-approval": "Awaiting approval"}
    where = f"release {report['name']}, revision {report['revision']}" if report["revision"] else "nothing is released"
    console.print(f"{words[report['status']]}: {where}, namespace {site.cluster.namespace}.", highlight=False)


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds * 1000:.0f} ms"


def show_plan(plan: "Plan", console: Console) -> None:
    """What a deployment would do."""
    table = _table("Skill", "Version", "Planned", "Pods")
    for name, skill in plan.skills.items():
        moved = skill.layout_before not in {None, skill.layout_after} and skill.layout_after is not None
        table.add_row(
            name,
            f"v{skill.before}" if skill.before else "–",
            f"v{skill.after}" if skill.after else "–",
            f"{skill.layout_before} → {skill.layout_after}"
            if moved
            else str(skill.layout_after or skill.layout_before),
        )
    console.print(table)
    _lines(console, {**plan.left_out, **plan.awaiting})
    if not plan.changes:
        console.print(f"Nothing to do: release {plan.release} in the namespace {plan.namespace} is just so.")
        return
    for name, mark in plan.objects.items():
        console.print(f"{mark} {name}", style=_COLOURS[mark], highlight=False)
    console.print()
    console.print(Syntax(plan.diff, "diff", background_color="default", word_wrap=False))
    for stage in plan.stages:
        console.print(f"It would: {stage}.", highlight=False, soft_wrap=True)


def show_standing(standing: "Standing", console: Console) -> None:
    """What answers now."""
    console.print(
        f"Release [bold]{standing.release}[/bold], namespace {standing.namespace}, revision {standing.revision}: "
        f"{standing.description}",
        highlight=False,
        soft_wrap=True,
    )
    table = _table("Skill", "Version", "Digest", "Pods", "Ready", "Service")
    for skill in standing.skills:
        table.add_row(
            skill.name,
            f"v{skill.version}",
            skill.digest[:12],
            skill.layout,
            f"{skill.ready}/{skill.wanted}" + (f" +{skill.canary} canary" if skill.canary else ""),
            f"{skill.service}:{skill.port}",
        )
    console.print(table)
    for name, words in standing.troubles.items():
        console.print(f"[red]{name}[/red]: ", end="")
        console.print(words, markup=False, highlight=False, soft_wrap=True)
