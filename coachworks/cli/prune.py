"""`coachworks prune`: remove unused models from the store."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coachworks.cli.console import say
from coachworks.cli.durations import Duration
from coachworks.cli.options import fleet_option, json_option
from coachworks.wording import counted, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from coachworks.fleet.model import Fleet
    from components.deploy.models.retention import ModelUse, OpenHelm, Retention


@click.command()
@fleet_option
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@click.option("--older-than", type=Duration(), default="7d", show_default=True, help="Younger models are kept.")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NS",
    help="Another namespace with a release of the fleet; may be repeated.",
)
@click.option("--no-cluster", is_flag=True, help="The fleet is on no cluster: no release is read.")
@json_option
def prune(
    file: Path, dry_run: bool, older_than: timedelta, namespaces: tuple[str, ...], no_cluster: bool, as_json: bool
) -> None:
    """Remove registered heads and backbones that nothing refers to from the store, unless they are young.

    Models that a revision of the fleet's releases, an alias in MLflow or the latest package refers to are always kept.
    Nothing is removed while a run is in progress, or where the cluster or MLflow cannot be read.

    \b
    Examples:
      coachworks prune --dry-run
      coachworks prune --older-than 30d
      coachworks prune --namespace staging --namespace production
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.terminal import TerminalProgress
    from coachworks.fleet.reader import read_fleet
    from coachworks.run_exclusion import no_run
    from coachworks.store import open_store
    from components.deploy.models.retention import find_unused

    fleet = read_fleet(file)
    store = open_store(fleet.spec.store)
    console = Console(stderr=True)
    with nullcontext() if dry_run else no_run(store, f"`coachworks prune` of the fleet {fleet.name}"):
        open_helm, known = (None, ()) if no_cluster else _cluster(fleet, namespaces)
        with TerminalProgress(console) as progress:
            retention = find_unused(store, fleet, open_helm, known, older_than=older_than, progress=progress)
        for model in () if dry_run else retention.unused:
            model.remove(store)
    if as_json:
        click.echo(json.dumps(_document(retention, removed=not dry_run), indent=1))
    else:
        _show(retention, Console())
    _show_summary(retention, fleet, console, dry_run=dry_run)


def _cluster(fleet: "Fleet", namespaces: "Sequence[str]") -> "tuple[OpenHelm, Sequence[str]]":
    """Return a function that opens a release, and the namespaces of the fleet's releases."""
    from coachworks.errors import CoachworksError
    from components.deploy.cluster.namespace import open_cluster
    from components.deploy.helm.client import Helm

    try:
        own = open_cluster(fleet.spec.deploy.release or fleet.name, fleet.spec.deploy.namespace).namespace
    except CoachworksError as err:
        raise CoachworksError(
            f"the fleet's releases cannot be read from the cluster, so nothing is removed: {str(err).rstrip('.')}. "
            "Where the fleet is on no cluster, say so with `--no-cluster`."
        ) from err
    return Helm, list(dict.fromkeys([own, *namespaces]))


def _show(retention: "Retention", console: "Console") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("What", no_wrap=True)
    table.add_column("Of", style="bold")
    table.add_column("Digest", no_wrap=True)
    table.add_column("Size", justify="right", no_wrap=True)
    table.add_column("Written", justify="right", no_wrap=True)
    table.add_column("")
    for use in sorted(retention.models, key=lambda use: bool(use.kept_because)):
        model, reason = use.model, use.kept_because
        text = Text(f"kept: {reason}") if reason else Text("unused: nothing refers to it", style="yellow")
        age = f"{(datetime.now(UTC) - model.written_at).days} d ago"
        table.add_row(model.kind, _subject(use), model.digest[:12], size(model.size), age, text)
    if retention.models:
        console.print(table)


def _subject(use: "ModelUse") -> str:
    return ", ".join(use.versions) or use.model.name or "?"


def _show_summary(retention: "Retention", fleet: "Fleet", console: "Console", *, dry_run: bool) -> None:
    limit = fleet.spec.deploy.keep_revisions
    for release, count in retention.revisions.items():
        kept = f"{counted(count, 'revision')}; Helm keeps up to {limit} (spec.deploy.keepRevisions)"
        say(console, f"Release {release} has {kept}.")
    for run in retention.silent_runs:
        say(console, f"Run {run} made no progress for a day: it is considered dead.")
    total = sum(use.model.size for use in retention.models)
    unused = retention.unused
    freed = size(sum(model.size for model in unused))
    what = f"{len(unused)} of {len(retention.models)} models, {freed} of {size(total)}"
    say(console, f"Would remove {what}; --dry-run removes nothing." if dry_run else f"Removed {what}.")


def _document(retention: "Retention", *, removed: bool) -> dict[str, Any]:
    models = [
        {
            "kind": use.model.kind,
            "digest": use.model.digest,
            "of": _subject(use),
            "versions": list(use.versions),
            "bytes": use.model.size,
            "written_at": use.model.written_at.isoformat(timespec="seconds"),
            "kept_because": use.kept_because or None,
            "removed": removed and not use.kept_because,
        }
        for use in retention.models
    ]
    return {"models": models, "revisions": dict(retention.revisions), "silent_runs": list(retention.silent_runs)}
