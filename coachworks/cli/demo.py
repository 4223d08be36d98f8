"""`coachworks demo`: the whole way on photos that it draws itself."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.cli.showroom.showroom import Showroom


@click.command(short_help="Draw a showroom, train its five skills, serve them, ask about photos.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("showroom"))
@click.option(
    "--cars", default=84, show_default=True, type=click.IntRange(min=40), help="Cars to draw, ten photos each."
)
@click.option("--seed", default=0, show_default=True, help="Another seed draws other cars.")
def demo(folder: Path, cars: int, seed: int) -> None:
    """Draw a showroom of cars into FOLDER (./showroom unless told), train its five skills, serve them, ask.

    The folder is yours to play with afterwards: change a label in photos.csv and run again.

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
        console.print("There is nothing to serve: the lines above say why.")
        sys.exit(1)
    _title(console, "3  Served, and asked about three photos that it has not seen")
    _ask_a_server(showroom, console)
    _title(console, "4  Where to look")
    _say_where_to_look(folder, summary.paths, console)
    sys.exit(0 if summary.passed else 1)


def _title(console: "Console", text: str) -> None:
    console.print()
    console.rule(f"[bold]{text}", align="left")


def _draw(folder: Path, cars: int, seed: int, console: "Console") -> "Showroom":
    from coachworks.cli.showroom.showroom import draw_showroom
    from coachworks.cli.terminal import TerminalProgress

    with TerminalProgress(console) as progress:
        showroom = draw_showroom(folder, cars=cars, seed=seed, progress=progress)
    if showroom.drawn:
        console.print(f"{showroom.photos} photos of {showroom.sets} cars in {folder}, with a table and a fleet file.")
    else:
        console.print(f"{folder} holds a showroom already and is used as it is.")
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


def _say_where_to_look(folder: Path, paths: Mapping[str, str], console: "Console") -> None:
    from coachworks.cli.table import short_path

    places = {name: short_path(path) for name, path in paths.items()}
    file = folder / "fleet.yaml"
    command = "coachworks" if shutil.which("coachworks") else short_path(sys.argv[0])
    lines = {
        "Documents for the client": places["document"],
        "What was checked": places["validation"],
        "What augmentation does": places["contact_sheet"],
        "How good the models are": places["evaluation"],
        "The photos asked about": folder / "unseen",
        "Comparing models": f"{command} mlflow -f {file}",
        "Serving them": f"{command} serve -f {file}",
        "Asking them": f"{command} predict -f {file} PHOTO…",
        "Playing with it": f"change a label in {folder / 'photos.csv'}, then: {command} run -f {file}",
    }
    for title, place in lines.items():
        console.print(f"{title:<26}{place}", highlight=False, soft_wrap=True)
