"""`coachworks demo`: every stage, on photos that it draws itself."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.cli.showroom.showroom import Showroom


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("showroom"))
@click.option(
    "--cars",
    default=84,
    show_default=True,
    type=click.IntRange(min=40),
    help="Cars to draw, ten photos each.",
)
@click.option("--seed", default=0, show_default=True, help="Seed; another one draws other cars.")
def demo(folder: Path, cars: int, seed: int) -> None:
    """Draw photos of cars into FOLDER, train five skills on them, serve them, and classify three more photos.

    FOLDER is ./showroom by default. It stays for experiments: change a label in photos.csv and run again.

    \b
    Examples:
      coachworks demo
      coachworks demo /tmp/cars --seed 3
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.run import run_fleet
    from coachworks.cli.table import show
    from coachworks.fleet.reader import read_fleet

    console = Console()
    _title(console, "1  A showroom of cars")
    showroom = _draw(folder, cars, seed, console)
    _title(console, f"2  From photos to packaged, documented models: coachworks run -f {showroom.fleet}")
    summary = run_fleet(read_fleet(showroom.fleet), console)
    show(summary, console)
    if "bento" not in summary.paths:
        console.print("No model passed, so there is nothing to serve: see the reasons above.")
        sys.exit(1)
    _title(console, "3  Served, and asked about three new photos")
    _ask_a_server(showroom, console)
    _title(console, "4  Where to look")
    _show_places(folder, summary.paths, console)
    sys.exit(0 if summary.passed else 1)


def _title(console: "Console", text: str) -> None:
    console.print()
    console.rule(f"[bold]{text}", align="left")


def _draw(folder: Path, cars: int, seed: int, console: "Console") -> "Showroom":
    from coachworks.cli.showroom.showroom import draw_showroom
    from coachworks.cli.terminal import TerminalProgress
    from coachworks.storage_failures import writing_to

    with writing_to(folder), TerminalProgress(console) as progress:
        showroom = draw_showroom(folder, cars=cars, seed=seed, progress=progress)
    if showroom.drawn:
        console.print(f"{showroom.photos} photos of {showroom.sets} cars in {folder}, with a table and a fleet file.")
    else:
        console.print(f"{folder} holds a showroom already; it is used unchanged.")
    return showroom


def _ask_a_server(showroom: "Showroom", console: "Console") -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from coachworks.cli.serve import serving
    from serving.answer_format import Prediction
    from serving.client import Client

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("Photo", "Skill", "Answer", "Probability", ""):
        table.add_column(column, justify="right" if column == "Probability" else "left", no_wrap=True)
    with console.status("Starting the server"), serving(showroom.fleet) as url:
        for photo, truth in showroom.unseen.items():
            reply = Client(url).predict(photo.read_bytes())
            if not isinstance(reply, Prediction):
                console.print(f"{photo}: {reply.message}", markup=False)
                continue
            name = photo.name
            for skill, label in truth.items():
                if skill not in reply.answers:
                    continue
                answer = reply.answers[skill]
                mark = Text("✓", "green") if answer.label == label else Text(f"✗ {label}", "red")
                table.add_row(name, skill, answer.label, f"{answer.probability:.0%}", mark)
                name = ""
            table.add_section()
    console.print(table)


def _show_places(folder: Path, paths: Mapping[str, str], console: "Console") -> None:
    from coachworks.cli.console import say
    from coachworks.cli.table import short_path

    places = {name: short_path(path) for name, path in paths.items()}
    file = folder / "fleet.yaml"
    command = "coachworks" if shutil.which("coachworks") else short_path(sys.argv[0])
    lines = {
        "Documents for the client": places["document"],
        "Checks of the data": places["validation"],
        "Augmented photos": places["contact_sheet"],
        "Quality of the models": places["evaluation"],
        "The three photos": folder / "unseen",
        "Compare models": f"{command} mlflow -f {file}",
        "Serve them": f"{command} serve -f {file}",
        "Use them": f"{command} predict -f {file} PHOTO…",
        "Experiment": f"change a label in {folder / 'photos.csv'}, then: {command} run -f {file}",
    }
    for title, place in lines.items():
        say(console, f"{title:<26}{place}")
