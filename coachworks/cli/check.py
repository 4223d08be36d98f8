"""`coachworks check`: every problem of the fleet file, or a summary of what it describes."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option
from coachworks.visible_text import visible
from coachworks.wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from coachworks.fleet.answers import Answers
    from coachworks.fleet.model import Fleet
    from coachworks.fleet.problems import Problem
    from coachworks.fleet.reader import Places


_MOST_CELLS = 60_000  # of tables: what can be read and compared in a second


@click.command()
@fleet_option
def check(file: Path) -> None:
    """Check the fleet file: all errors at once, each with its line, the rule and the way out.

    Exit status 0: the file is valid, perhaps with warnings; 2: it is not. Compares the skills with the tables on this
    machine (of long ones, with the first rows), and values of `spec.deploy` with the chart. Reads no photos and does
    not use the network: `coachworks doctor` does.

    \b
    Examples:
      coachworks check                    check ./fleet.yaml
      coachworks check -f other.yaml      check another file
    """  # noqa: D301 — \b is click's mark for "keep these lines"
    from coachworks.fleet.problems import InvalidFleetError, lines_of
    from coachworks.fleet.reader import Places, read_fleet

    places = Places(file)
    try:
        fleet = read_fleet(file)
        sources, problems = _read_sources(places, fleet)
        if problems := sorted([*_library_problems(places, fleet), *problems]):
            raise InvalidFleetError(file, problems)
    except InvalidFleetError as err:
        click.echo(str(err))
        click.echo(f"{counted(len(err.problems), 'problem')} in {file}", err=True)
        sys.exit(2)
    click.echo("\n".join(map(visible, [*_summary(fleet), *_partly_compared(file, sources)])))
    warnings = sorted(_warnings(file, places, fleet, sources))
    for line in lines_of(file, warnings, mark="warning: "):
        click.secho(line, fg="yellow")
    result = f"valid, with {counted(len(warnings), 'warning')}" if warnings else "valid"
    click.echo(f"{result}. Next: coachworks {'submit' if _can_run_on_a_cluster(fleet) else 'run'}")


def _read_sources(places: "Places", fleet: "Fleet") -> "tuple[dict[str, Answers | None], list[Problem]]":
    """Return the answers by source, None where they cannot be read here; and the problems of tables."""
    from coachworks.errors import DataError
    from components.ingest.source_answers import read_answers

    answers: dict[str, Answers | None] = {}
    problems = []
    most = max(1_000, _MOST_CELLS // len({source.table or source.photos for source in fleet.spec.sources}))
    for index, source in enumerate(fleet.spec.sources):
        if (source.table or source.photos) in answers:
            continue
        try:
            answers[source.table or source.photos] = read_answers(source, fleet, most)
        except DataError as err:
            problems.append(places.problem(("spec", "sources", index, "table"), str(err)))
    return answers, problems


def _warnings(
    file: Path, places: "Places", fleet: "Fleet", sources: "Mapping[str, Answers | None]"
) -> "Iterator[Problem]":
    """Yield the differences between skills and answers.

    They are no errors: a fleet file may be written before the answers are there.
    """
    from coachworks.fleet.answers import compare_with_skills

    folder = file.absolute().parent
    complete = all(answers is not None and answers.complete for answers in sources.values())
    known = {os.path.relpath(source, folder): answers for source, answers in sources.items() if answers is not None}
    for skill, sentence in compare_with_skills(fleet.spec.skills, known, complete=complete):
        yield places.problem(("spec", "skills", skill), sentence, key_itself=True)


def _library_problems(places: "Places", fleet: "Fleet") -> "Iterator[Problem]":
    """Yield the problems that only libraries can find: unknown transforms, an unusable backbone, values of no chart."""
    from coachworks.errors import InvalidConfigError
    from coachworks.fleet.model import AUTO_BACKBONE
    from components.augment.policy import policy_of
    from components.embed.backbones import find_backbone
    from components.embed.probing.choosing import default_backbones

    try:
        if fleet.spec.augment.transforms is not None:
            policy_of(fleet.spec.augment)
    except InvalidConfigError as err:
        yield places.problem(("spec", "augment", "transforms"), str(err))
    try:
        if fleet.spec.backbone == AUTO_BACKBONE:
            default_backbones()
        elif not fleet.spec.backbone.startswith("hub:"):  # `check` does not use the network
            find_backbone(fleet.spec.backbone)
    except InvalidConfigError as err:
        yield places.problem(("spec", "backbone"), str(err))
    yield from _chart_problems(places, fleet)
    if "deploy" in fleet.spec.model_fields_set:  # a fleet that is served on no cluster has no Services
        yield from _name_problems(places, fleet)


def refuse_unknown_values(file: Path, fleet: "Fleet") -> None:
    """Refuse values of a deployment, and names, that its chart would refuse, before anything is done for it.

    Raises:
        InvalidFleetError: charts/fleet refuses values or names; lists each with its place.
    """
    from coachworks.fleet.problems import InvalidFleetError
    from coachworks.fleet.reader import Places

    places = Places(file)
    if problems := sorted([*_chart_problems(places, fleet), *_name_problems(places, fleet)]):
        raise InvalidFleetError(file, problems)


def _chart_problems(places: "Places", fleet: "Fleet") -> "Iterator[Problem]":
    from components.deploy.target.chart_schema import value_problems

    for location, message in value_problems(fleet):
        yield places.problem(location, message, key_itself=True)


def _name_problems(places: "Places", fleet: "Fleet") -> "Iterator[Problem]":
    from components.deploy.target.service_names import name_problems

    for location, message in name_problems(fleet):
        yield places.problem(location, message, key_itself=True)


def _summary(fleet: "Fleet") -> list[str]:
    lines = [f"fleet {fleet.name}: {counted(len(fleet.spec.skills), 'skill')}"]
    width = max(len(name) for name in fleet.spec.skills)
    for name, skill in fleet.spec.skills.items():
        critical = ", critical" if skill.tier == "critical" else ""
        lines.append(f"  {name:<{width}}  {counted(len(skill.labels), 'label')}{critical}")
    lines.append(counted(len(fleet.spec.sources), "source"))
    for source in fleet.spec.sources:
        lines.append(f"  {_existence(source.photos, folder=True)}")
        if source.table is not None:
            lines.append(f"  {_existence(source.table, folder=False)}")
    return lines + _not_checked(fleet)


def _not_checked(fleet: "Fleet") -> list[str]:
    """Return a line that names what only the network could answer."""
    spec = fleet.spec
    addresses = [spec.store, *(place for source in spec.sources for place in (source.photos, source.table) if place)]
    buckets = dict.fromkeys(address.split("/")[2] for address in addresses if address.startswith("s3://"))
    others = [f"bucket {bucket}" for bucket in buckets]
    others += [f"MLflow at {spec.tracking}"] if spec.tracking else []
    others += ["the model hub"] if spec.backbone.startswith("hub:") else []
    others += ["cluster"] if "cluster" in spec.model_fields_set else []
    return [f"not checked: {', '.join(others)}. `coachworks doctor` checks that."] if others else []


def _partly_compared(file: Path, sources: "Mapping[str, Answers | None]") -> "Iterator[str]":
    """Yield a line that names the sources of which only the beginning was compared."""
    cut = [place for place, answers in sources.items() if answers is not None and not answers.complete]
    if cut:
        names = listed([os.path.relpath(place, file.absolute().parent) for place in cut])
        yield f"compared in part, since long: {names}. `coachworks ingest` compares all of it."


def _can_run_on_a_cluster(fleet: "Fleet") -> bool:
    return fleet.spec.store.startswith("s3://") and bool(fleet.spec.tracking)


def _existence(place: str, *, folder: bool) -> str:
    if place.startswith("s3://"):
        return f"bucket   {place}"
    path = Path(place)
    there = path.is_dir() if folder else path.is_file()
    return f"{'found  ' if there else 'missing'}  {path}"
