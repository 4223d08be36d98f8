"""The command of every step, generated from its declaration: `coachworks embed --batch-size 16`."""

import dataclasses
import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

import components
from coachworks.cli.options import fleet_option, json_option, known_skills
from coachworks.cli.study import with_study
from coachworks.steps import Step, discover
from coachworks.wording import duration

_HELP = """{step.summary}

Runs this step alone, on the latest result of the step before it. `coachworks run` runs all steps.

\b
Example:
  coachworks {step.name} -f fleet.yaml"""


def setting_help(config: type[Any]) -> dict[str, str]:
    """Return the text of each field in the `Attributes:` section of a settings class."""
    text = inspect.cleandoc(config.__doc__ or "")
    section = text.partition("Attributes:\n")[2]
    entries = re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", section, flags=re.MULTILINE)
    return {name: " ".join(words.split()) for name, words in entries}


def step_command(step: Step) -> click.Command:
    """Return the command that runs `step` alone, on the latest result of the step before it."""
    helps = setting_help(step.config)
    parameters: list[click.Parameter] = []
    if step.upstream is not None:
        parameters.append(
            click.Option(
                [f"--{step.upstream}", "upstream"],
                multiple=step.joins_lanes,
                metavar="KEY",
                help=f"Key of the result of {step.upstream} to continue from.  [default: the latest result]",
            )
        )
    if step.per_lane:
        parameters.append(
            click.Option(["--skill", "skills"], multiple=True, help="Only this skill; may be repeated.  [default: all]")
        )
    for field in dataclasses.fields(step.config):
        flag = field.name.replace("_", "-")
        boolean = isinstance(field.default, bool)
        parameters.append(
            click.Option(
                [f"--{flag}/--no-{flag}" if boolean else f"--{flag}", field.name],
                type=type(field.default),
                default=field.default,
                show_default=True,
                help=helps.get(field.name),
            )
        )

    @click.command(step.name, params=parameters, help=_HELP.format(step=step))
    @fleet_option
    @json_option
    def command(file: Path, as_json: bool, **values: Any) -> None:
        run_step(step, file, as_json, values)

    return command


def run_step(step: Step, file: Path, as_json: bool, values: dict[str, Any]) -> None:
    """Run one step on the fleet that `file` describes, with progress bars, and print its report."""
    from rich.console import Console

    from coachworks.cli.terminal import TerminalProgress
    from coachworks.context import open_context
    from coachworks.fleet.reader import read_fleet
    from coachworks.results import jsonable, latest
    from coachworks.tracking import tracking_of

    fleet = read_fleet(file)
    context = open_context(fleet, tracking=tracking_of)
    store = context.store
    positional: list[Any] = [fleet]
    if step.upstream is not None:
        chosen = values.pop("upstream")
        keys = list(chosen) if step.joins_lanes else chosen
        positional.append(
            keys or ([latest(store, step.upstream)] if step.joins_lanes else latest(store, step.upstream))
        )
    keyword: dict[str, Any] = {}
    if step.per_lane:
        keyword["skills"] = known_skills(fleet, values.pop("skills"))
    config = step.config(**values)
    console = Console(stderr=True)
    with TerminalProgress(console) as progress:
        context = dataclasses.replace(context, progress=progress)
        result = step.function()(*positional, config=config, context=context, **keyword)
    report = jsonable(result.report)
    if as_json:
        click.echo(json.dumps({"step": step.name, "key": result.key, "path": result.place, "report": report}))
        return
    click.echo(f"{step.name}: {'unchanged' if result.reused else f'done in {duration(result.duration_s)}'}")
    for name, value in _facts(report):
        click.echo(f"  {name:<22} {value}")
    click.echo(f"  {'files':<22} {result.place}")


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = []
    for name, value in report.items():
        if isinstance(value, (str, int, float)):
            facts.append((name, f"{value:.4g}" if isinstance(value, float) else str(value)))
        elif isinstance(value, Mapping) and all(isinstance(v, (str, int, float)) for v in value.values()) and value:
            facts.append((name, ", ".join(f"{key} {number}" for key, number in value.items())))
        elif isinstance(value, Mapping):
            facts.extend(
                (f"{name} · {key}", str(entry["status"]))
                for key, entry in value.items()
                if isinstance(entry, Mapping) and "status" in entry
            )
    return facts


def __getattr__(name: str) -> click.Command:
    """Return the command of the step called `name`, one of those that `components/` declares."""
    for step in discover(components):
        if step.name == name:
            command = step_command(step)
            return with_study(command) if name == "augment" else command
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
