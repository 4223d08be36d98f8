"""`coachworks probe`: backbones compared on the fleet's own photos."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, json_option

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from coachworks.fleet.model import Fleet
    from components.embed.probing.report import ProbeReport


@click.command()
@fleet_option
@click.option("--backbones", default="", metavar="A,B,…", help="Backbones to compare. [default: the installed ones]")
@click.option("--photos", default=1000, show_default=True, help="Photos in the sample; whole sets are drawn.")
@click.option("--folds", default=5, show_default=True, help="Folds of the sample.")
@click.option("--seed", default=0, show_default=True, help="Seed of the sample and the folds.")
@click.option("--choose", is_flag=True, help="Record the recommendation: `backbone: auto` takes it from now on.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("probe.png"),
    show_default=True,
    help="The picture.",
)
@json_option
def probe(
    file: Path, backbones: str, photos: int, folds: int, seed: int, choose: bool, output: Path, as_json: bool
) -> None:
    """Compare backbones on a sample of the fleet's own photos: accuracy per skill, time, memory and size.

    Photos of the test split are not looked at. Features that are computed stay in the cache. Backbones have the names
    of the fleet file; `efficientnet-lite0@260` has a larger input. Only `hub:…` uses the network.

    A fleet with `backbone: auto` chooses once, in its first run; `--choose` chooses again.

    \b
    Examples:
      coachworks probe
      coachworks probe --backbones efficientnet-lite0,efficientnet-lite0@260,./my-model
      coachworks probe --photos 3000 --json > probe.json
      coachworks probe --choose
    """  # noqa: D301 — \b is click's mark
    import json
    from dataclasses import asdict

    from rich.console import Console

    from coachworks.cli.terminal import TerminalProgress
    from coachworks.context import open_context
    from coachworks.fleet.reader import read_fleet
    from components.embed.probing.comparison import ProbeConfig
    from pipelines.probing.picture import draw
    from pipelines.probing.probe import probe as probed

    fleet = read_fleet(file)
    config = ProbeConfig(photos=photos, folds=folds, seed=seed)
    names = [name.strip() for name in backbones.split(",") if name.strip()] or _installed(fleet.spec.backbone)
    console = Console(stderr=True)
    with TerminalProgress(console) as progress:
        report = probed(fleet, names, choose=choose, config=config, context=open_context(fleet, progress=progress))
    draw(report, output)
    if as_json:
        click.echo(json.dumps(asdict(report), ensure_ascii=False, indent=1))
    else:
        _show(report, Console())
    console.print(f"Picture: {output}", markup=False)
    if choose:
        _say_chosen(report, fleet, console)


def _installed(own: str) -> list[str]:
    """Return the fleet's backbone and those that `backbone: auto` compares."""
    from coachworks.fleet.model import AUTO_BACKBONE
    from components.embed.probing.choosing import default_backbones

    named = [] if own == AUTO_BACKBONE else [own]
    return list(dict.fromkeys([*named, *default_backbones()]))


def _say_chosen(report: "ProbeReport", fleet: "Fleet", console: "Console") -> None:
    from coachworks.cli.console import say
    from coachworks.fleet.model import AUTO_BACKBONE

    effect = (
        "The next run computes what changes."
        if fleet.spec.backbone == AUTO_BACKBONE
        else (f"Write `backbone: {AUTO_BACKBONE}` into the fleet file to use it: that names {fleet.spec.backbone} now.")
    )
    say(console, f"Recorded as the choice of the fleet {fleet.name}: {report.recommended}. {effect}", markup=False)


def _show(report: "ProbeReport", console: "Console") -> None:
    from rich.table import Table

    from coachworks.cli.console import say

    title = f"{report.photos} photos of {report.sets} sets, {report.folds} folds"
    table = Table(title=title)
    table.add_column("backbone", overflow="fold")
    for name in ("input", "accuracy (95 %)", "M mult-adds", "ms/photo", "memory", "file"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in report.backbones:
        table.add_row(
            each.backbone,
            f"{each.input_px} px",
            f"{each.mean.value:.3f} ({each.mean.low:.3f}–{each.mean.high:.3f})",
            f"{each.multiply_adds / 1e6:,.0f}",
            f"{each.cost.ms_per_photo:.1f}",
            f"{each.cost.memory_mib:.0f} MiB",
            f"{each.megabytes:.1f} MB",
            style="bold green" if each.backbone == report.recommended else None,
        )
    console.print(table)
    if len(report.backbones[0].skills) > 1:
        console.print(_skills(report))
    for skill, why in report.left_out.items():
        say(console, f"{skill} is not compared: {why}.", markup=False)
    say(console, f"Recommended: {report.why}.", markup=False)


def _skills(report: "ProbeReport") -> "Table":
    from rich.table import Table

    table = Table("skill", title="balanced accuracy by skill")
    for each in report.backbones:
        table.add_column(each.backbone, justify="right")
    for skill in report.backbones[0].skills:
        intervals = [each.skills[skill] for each in report.backbones]
        table.add_row(skill, *(f"{each.value:.3f} ({each.low:.3f}–{each.high:.3f})" for each in intervals))
    return table
