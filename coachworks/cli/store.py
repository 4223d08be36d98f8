"""`coachworks store`: commands about the store itself."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from coachworks.cli.options import json_option

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.store import Store
    from coachworks.verify import Verification


@click.group()
def store() -> None:
    """Verify the store, and remove what is damaged.

    \b
    Examples:
      coachworks store verify
      coachworks store verify --repair s3://cars/store
    """  # noqa: D301 — \b is click's mark


@store.command()
@click.argument("place", metavar="[STORE]", default="fleet.yaml")
@click.option("--repair", is_flag=True, help="Remove what is damaged and can be made again, and leftover files.")
@click.option("--fresh", is_flag=True, help="Read everything, even what an interrupted verification has read.")
@json_option
def verify(place: str, repair: bool, fresh: bool, as_json: bool) -> None:
    """Read everything in a store, and name what is not what was written.

    STORE is a folder, s3://bucket/prefix, or a fleet file; without it, the fleet file fleet.yaml. A verification that
    is interrupted goes on where it stopped. The exit status is 1 if the store is damaged, or still is after a repair.

    \b
    Examples:
      coachworks store verify
      coachworks store verify --repair ./store
      coachworks store verify s3://cars/store --json
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.terminal import TerminalProgress
    from coachworks.run_exclusion import no_run
    from coachworks.verify import repair as repaired
    from coachworks.verify import verify as verified
    from components.split.restoring import restore_part

    opened = _open(place)
    console = Console(stderr=True)
    with no_run(opened, "`coachworks store verify --repair`") if repair else nullcontext():
        try:
            with TerminalProgress(console) as progress:
                outcome = verified(opened, fresh=fresh, progress=progress)
        except KeyboardInterrupt:
            console.print("\nInterrupted. `coachworks store verify` goes on where it stopped.")
            sys.exit(130)
        if repair:
            outcome = repaired(opened, outcome, {"memory of splits": restore_part})
    if as_json:
        click.echo(json.dumps(_document(outcome), ensure_ascii=False, indent=1))
    else:
        _show(outcome, Console())
    _show_summary(outcome, console, repair=repair)
    sys.exit(1 if outcome.damaged else 0)


def _open(place: str) -> "Store":
    from coachworks.errors import NotFoundError
    from coachworks.fleet.reader import read_fleet
    from coachworks.store import open_store

    if "://" in place or Path(place).is_dir():
        return open_store(place)
    if Path(place).suffix in {".yaml", ".yml"} or Path(place).is_file():
        return open_store(read_fleet(Path(place)).spec.store)
    raise NotFoundError(f"STORE must be a folder, s3://bucket/prefix or a fleet file; there is no {place!r}.")


def _show(outcome: "Verification", console: "Console") -> None:
    from coachworks.cli.console import say

    for finding in outcome.findings:
        say(console, f"[bold]{finding.kind}[/bold] ({finding.state})")
        for key, problem in finding.problems.items():
            say(console, f"  {key}: {problem}", markup=False)
        say(console, f"  {finding.consequence} {finding.way_out}", markup=False)


def _show_summary(outcome: "Verification", console: "Console", *, repair: bool) -> None:
    import shlex

    from coachworks.cli.console import say
    from coachworks.wording import counted, pipeline_command, size

    rate = size(outcome.bytes / max(outcome.seconds, 0.001))
    read = f"{size(outcome.bytes)} in {outcome.seconds:.1f} s, {rate}/s"
    say(console, f"{counted(outcome.objects, 'object')} of {outcome.store} compared: {read}.", markup=False)
    if outcome.continued:
        say(console, f"{counted(outcome.continued, 'object')} of them by the verification that was interrupted.")
    if outcome.undigested:
        first = outcome.undigested[0]
        say(
            console,
            f"{counted(len(outcome.undigested), 'object')} of earlier versions without a digest, such as {first}: "
            "they count, and damage to them may go unnoticed.",
            markup=False,
        )
    if outcome.unknown:
        unknown = f"{counted(len(outcome.unknown), 'file')} not part of a store, such as {outcome.unknown[0]}"
        say(console, f"{unknown}: not compared.", markup=False)
    command = f"`coachworks store verify --repair {shlex.quote(outcome.store)}`"
    if outcome.leftovers:
        left = f"{counted(len(outcome.leftovers), 'leftover')} of killed processes, {size(_bytes(outcome))}"
        say(console, f"{left}: " + ("removed." if repair else f"{command} removes them."), markup=False)
    damaged = [finding for finding in outcome.findings if finding.state == "damaged"]
    if not outcome.findings:
        say(console, "[green]✓[/green] Nothing is damaged.")
    elif not repair:
        say(
            console,
            f"{counted(len(damaged), 'object')} damaged. {command} removes what can be made again.",
            markup=False,
        )
    else:
        done = len(outcome.findings) - len(damaged)
        again = f"Now run {pipeline_command(outcome.store)}."
        say(console, f"{counted(done, 'object')} removed or restored, {len(damaged)} left. {again}", markup=False)


def _bytes(outcome: "Verification") -> int:
    return sum(leftover.size for leftover in outcome.leftovers)


def _document(outcome: "Verification") -> dict[str, Any]:
    return {
        "store": outcome.store,
        "objects": outcome.objects,
        "bytes": outcome.bytes,
        "seconds": round(outcome.seconds, 3),
        "continued": outcome.continued,
        "foreign": outcome.foreign,
        "unknown": list(outcome.unknown),
        "without_digest": list(outcome.undigested),
        "leftovers": [leftover.key for leftover in outcome.leftovers],
        "findings": [
            {
                "key": finding.content.key,
                "kind": finding.kind,
                "state": finding.state,
                "problems": finding.problems,
                "consequence": finding.consequence,
                "way_out": finding.way_out,
            }
            for finding in outcome.findings
        ],
    }
