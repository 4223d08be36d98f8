"""`coachworks check`: all that is wrong with the fleet file, or what it describes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coachworks.fleet.model import Fleet
    from coachworks.fleet.problems import Problem


@click.command()
@fleet_option
def check(file: Path) -> None:
    """Check the fleet file: all errors at once, each with its line, the rule and the way out.

    Exit status 0: the file is valid; 2: it is not. Photos and tables on this machine are looked for, not read; nothing
    is asked over the network.

    \b
    Examples:
      coachworks check                    check ./fleet.yaml
      coachworks check -f other.yaml      check another file
    """  # noqa: D301 — \b is click's mark for "keep these lines"
    from coachworks.fleet.problems import InvalidFleetError
    from coachworks.fleet.reader import read_fleet

    try:
        fleet = read_fleet(file)
        if problems := sorted(_refused_by_libraries(file, fleet)):
            raise InvalidFleetError(file, problems)
    except InvalidFleetError as err:
        click.echo(str(err))
        count = len(err.problems)
        click.echo(f"{count} {'problem' if count == 1 else 'problems'} in {file}", err=True)
        sys.exit(2)
    for line in _summary(fleet):
        click.echo(line)


def _refused_by_libraries(file: Path, fleet: "Fleet") -> "Iterator[Problem]":
    """What the fleet file's model cannot know: which transforms there are, and whether the backbone is usable."""
    from coachworks.errors import InvalidConfigError
    from coachworks.fleet.reader import problem_at
    from components.augment.policy import policy_of
    from components.embed.backbones import find_backbone

    try:
        if fleet.spec.augment.transforms is not None:
            policy_of(fleet.spec.augment)
    except InvalidConfigError as err:
        yield problem_at(file, ("spec", "augment", "transforms"), str(err))
    try:
        if not fleet.spec.backbone.startswith("hub:"):  # checking is no reason to ask the hub
            find_backbone(fleet.spec.backbone)
    except InvalidConfigError as err:
        yield problem_at(file, ("spec", "backbone"), str(err))


def _summary(fleet: "Fleet") -> list[str]:
    lines = [f"fleet {fleet.name}: {_count(len(fleet.spec.skills), 'skill')}"]
    width = max(len(name) for name in fleet.spec.skills)
    for name, skill in fleet.spec.skills.items():
        critical = ", critical" if skill.tier == "critical" else ""
        lines.append(f"  {name:<{width}}  {_count(len(skill.labels), 'label')}{critical}")
    lines.append(_count(len(fleet.spec.sources), "source"))
    for source in fleet.spec.sources:
        lines.append(f"  {_found(source.photos, folder=True)}")
        if source.table is not None:
            lines.append(f"  {_found(source.table, folder=False)}")
    lines += _not_asked(fleet)
    lines.append(f"valid. Next: coachworks {'submit' if _fit_for_a_cluster(fleet) else 'run'}")
    return lines


def _not_asked(fleet: "Fleet") -> list[str]:
    """What only the network could tell."""
    spec = fleet.spec
    addresses = [spec.store, *(place for source in spec.sources for place in (source.photos, source.table) if place)]
    buckets = dict.fromkeys(address.split("/")[2] for address in addresses if address.startswith("s3://"))
    others = [f"bucket {bucket}" for bucket in buckets]
    others += [f"MLflow at {spec.tracking}"] if spec.tracking else []
    others += ["hub of models"] if spec.backbone.startswith("hub:") else []
    others += ["cluster"] if "cluster" in spec.model_fields_set else []
    return [f"not asked: {', '.join(others)}. `coachworks doctor` asks."] if others else []


def _fit_for_a_cluster(fleet: "Fleet") -> bool:
    return fleet.spec.store.startswith("s3://") and bool(fleet.spec.tracking)


def _found(place: str, *, folder: bool) -> str:
    if place.startswith("s3://"):
        return f"bucket   {place}"
    path = Path(place)
    there = path.is_dir() if folder else path.is_file()
    return f"{'found  ' if there else 'missing'}  {path}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
