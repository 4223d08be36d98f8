"""`coachworks augment --study`: what each transform does to each skill."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from components.augment.study_report import Gain, StudyReport, TransformStudy

_COLOURS = {"keeps": "green", "shifts": "yellow", "breaks": "red", "exchanges": "blue"}


def with_study(command: click.Command) -> click.Command:
    """Return the command of augment with the options `--study` and `--study-photos`."""
    step = command.callback
    assert step is not None  # noqa: S101 — every command of a step has one
    command.params += [
        click.Option(
            ["--study"],
            is_flag=True,
            help="Measure instead what each transform of the policy and of the toolkit does to each skill.",
        ),
        click.Option(
            ["--study-photos"],
            type=click.IntRange(min=1),
            default=400,
            show_default=True,
            help="Photos that it is measured on, of the training and validation splits.",
        ),
    ]

    def choose(study: bool, study_photos: int, **values: Any) -> None:
        if study:
            run_study(values["file"], values["as_json"], values.get("upstream"), study_photos)
        else:
            step(**values)

    command.callback = choose
    return command


def run_study(file: Path, as_json: bool, validate: str | None, photos: int) -> None:
    """Study the transforms on the latest result of validate, and print a table."""
    from dataclasses import replace

    from rich.console import Console

    from coachworks.cli.terminal import TerminalProgress
    from coachworks.context import open_context
    from coachworks.fleet.reader import read_fleet
    from coachworks.results import jsonable, latest
    from components.embed.study import study

    fleet = read_fleet(file)
    context = open_context(fleet)
    with TerminalProgress(Console(stderr=True)) as progress:
        result = study(
            fleet,
            validate or latest(context.store, "validate"),
            photos=photos,
            context=replace(context, progress=progress),
        )
    if as_json:
        document = {"step": "study", "key": result.key, "path": result.place, "report": jsonable(result.report)}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    show_study(result.report, Console())
    click.echo(f"{'files':<14} {result.place}")


def show_study(report: "StudyReport", console: "Console") -> None:
    """Print one line per skill and transform, then what to do about labels that break."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from coachworks.cli.console import say
    from components.augment.study_report import moves_text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Skill", no_wrap=True, style="bold")
    table.add_column("Transform", no_wrap=True)
    table.add_column("Gain, points", no_wrap=True, justify="right")
    table.add_column("Labels")
    for name, skill in report.skills.items():
        if skill.reason:
            table.add_row(Text(name), "", "", Text(f"not studied: {skill.reason}", style="dim"))
            continue
        table.add_row(Text(name), Text(f"none, {skill.photos} photos"), f"({100 * skill.balanced_accuracy:.1f})", "")
        for transform, effect in skill.transforms.items():
            table.add_row("", Text(transform), _points(effect.gain), _labels(effect, moves_text(effect)))
        for framing, framed in skill.framings.items():
            reached = f"{100 * framed.balanced_accuracy:.1f}, {framed.photos} photos change"
            table.add_row("", Text(framing), _points(framed.gain), Text(reached))
    console.print(table)
    say(
        console,
        "Gain: of a head trained on transformed photos as well, in points of balanced accuracy on clean photos that "
        "were held out, ± its standard error; in brackets the balanced accuracy without. Of another framing, such as "
        "a crop to the box: of a head trained on photos framed so, on photos framed so.",
        style="dim",
    )


def _labels(effect: "TransformStudy", moves_text: str) -> Any:
    from rich.text import Text

    text = Text(f"{effect.verdict} {moves_text}".strip(), style=_COLOURS[effect.verdict])
    if effect.exchanged_gain:
        text.append(f"; with the labels exchanged {_points(effect.exchanged_gain)}")
    return text


def _points(gain: "Gain") -> str:
    return f"{100 * gain.value:+.1f} ± {100 * gain.standard_error:.1f}"
