"""`coachworks prune`: remove from the store the models that nothing names."""

import json
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coachworks.cli.durations import Duration
from coachworks.cli.options import fleet_option, json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from coachworks.fleet.model import Fleet
    from coachworks.store import Store
    from components.deploy.models.retention import Entry, OpenRelease, Survey


@click.command(short_help="Remove from the store the models that nothing names.")
@fleet_option
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--older-than", type=Duration(), default="7d", show_default=True, help="Younger models stay.")
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    metavar="NS",
    help="Where the fleet's release is too, beside its own namespace; may be repeated.",
)
@click.option("--no-cluster", is_flag=True, help="The fleet is on no cluster: there is no release to ask.")
@json_option
def prune(
    file: Path, dry_run: bool, older_than: timedelta, namespaces: tuple[str, ...], no_cluster: bool, as_json: bool
) -> None:
    """Remove registered heads, and backbones, from the store that nothing names and that are not young.

    What a revision in the history of the fleet's releases names, or an alias in MLflow, or the latest package, always
    stays; so does everything while a run is at work, or where the cluster or MLflow cannot be read.

    \b
    Examples:
      coachworks prune --dry-run
      coachworks prune --older-than 30d
      coachworks prune --namespace staging --namespace production
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.terminal import TerminalProgress
    from coachworks.fleet.reader import read_fleet
    from coachworks.store import open_store
    from components.deploy.models.retention import survey

    fleet = read_fleet(file)
    store = open_store(fleet.spec.store)
    told = Console(stderr=True)
    with nullcontext() if dry_run else _alone(store):
        opener, known = (None, ()) if no_cluster else _cluster(fleet, namespaces)
        with TerminalProgress(told) as progress:
            found = survey(store, fleet, opener, known, older_than=older_than, progress=progress)
        unused = found.unused
        for model in () if dry_run else unused:
            model.remove(store)
    if as_json:
        click.echo(json.dumps(_document(found, removed=not dry_run), indent=1))
    else:
        _show(found, Console())
    _tell(found, fleet, told, dry_run=dry_run)


def _alone(store: "Store") -> Any:
    """No run starts on this machine meanwhile."""
    from filelock import Timeout

    from coachworks.errors import CoachworksError
    from pipelines.local import run_lock

    try:
        return run_lock(store).acquire()
    except Timeout as err:
        raise CoachworksError(
            f"a run is under way on {store.uri}. Wait for it (`coachworks status` shows it), or stop it."
        ) from err


def _cluster(fleet: "Fleet", namespaces: "Sequence[str]") -> "tuple[OpenRelease, Sequence[str]]":
    """How releases are opened, and where to look for the fleet's."""
    from coachworks.errors import CoachworksError
    from components.deploy.cluster.namespace import open_cluster
    from components.deploy.helm.client import Helm

    try:
        own = open_cluster(fleet.spec.deploy.release or fleet.name, fleet.spec.deploy.namespace).namespace
    except CoachworksError as err:
        raise CoachworksError(
            f"the cluster cannot be asked for the fleet's releases, so nothing is removed: {str(err).rstrip('.')}. "
            "Where the fleet is on no cluster, say so with `--no-cluster`."
        ) from err
    return Helm, list(dict.fromkeys([own, *namespaces]))


def _show(found: "Survey", console: "Console") -> None:
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
    for entry in sorted(found.entries, key=lambda entry: bool(entry.stays)):
        model = entry.model
        why = Text(f"stays: {entry.stays}") if entry.stays else Text("unused: nothing names it", style="yellow")
        age = f"{(datetime.now(UTC) - model.written_at).days} d ago"
        table.add_row(model.kind, _of(entry), model.digest[:12], size_text(model.size), age, why)
    if found.entries:
        console.print(table)


def _of(entry: "Entry") -> str:
    return ", ".join(entry.versions) or entry.model.name or "?"


def _tell(found: "Survey", fleet: "Fleet", console: "Console", *, dry_run: bool) -> None:
    most = fleet.spec.deploy.keep_revisions
    for called, count in found.revisions.items():
        kept = (
            f"{count} {'revision' if count == 1 else 'revisions'}; Helm keeps up to {most} (spec.deploy.keepRevisions)"
        )
        console.print(f"Release {called} has {kept}.", highlight=False, soft_wrap=True)
    for run in found.silent_runs:
        console.print(f"Run {run} has said nothing for a day: it was taken for dead.", highlight=False, soft_wrap=True)
    total = sum(entry.model.size for entry in found.entries)
    unused = found.unused
    freed = size_text(sum(model.size for model in unused))
    what = f"{len(unused)} of {len(found.entries)} models, {freed} of {size_text(total)}"
    console.print(
        f"Would remove {what}; --dry-run removes nothing." if dry_run else f"Removed {what}.", highlight=False
    )


def size_text(size: int) -> str:
    """Bytes as people read them.

    >>> size_text(17_300_000)
    '17.3 MB'
    """
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= limit:
            return f"{size / limit:.1f} {unit}"
    return f"{size} B"


def _document(found: "Survey", *, removed: bool) -> dict[str, Any]:
    models = [
        {
            "kind": entry.model.kind,
            "digest": entry.model.digest,
            "of": _of(entry),
            "versions": list(entry.versions),
            "bytes": entry.model.size,
            "written_at": entry.model.written_at.isoformat(timespec="seconds"),
            "stays": entry.stays or None,
            "removed": removed and not entry.stays,
        }
        for entry in found.entries
    ]
    return {"models": models, "revisions": dict(found.revisions), "silent_runs": list(found.silent_runs)}
