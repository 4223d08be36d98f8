"""`coachworks demo`: the whole way on photos that it draws itself."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console


@click.command(short_help="Draw a showroom, train its five skills, serve them, ask about photos.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("showroom"))
@click.option("--cars", default=None, type=click.IntRange(min=30), help="Cars to draw.  [default: enough for five skills]")
@click.option("--seed", default=7, show_default=True, help="Another seed draws other cars.")
def demo(folder: Path, cars: int | None, seed: int) -> None:
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
    file = folder / "fleet.yaml"
    if file.exists():
        console.rule("[bold]1  The showroom is there already", align="left")
        console.print(f"Using {file} as it is. Another folder draws a new one: coachworks demo FOLDER")
    else:
        console.rule("[bold]1  Drawing a showroom", align="left")
        _draw(folder, cars, seed, console)
    console.rule("[bold]2  From photos to packaged, documented models: coachworks run", align="left")
    summary = run_fleet(read_fleet(file), console)
    show(summary, console)
    if "bento" not in summary.paths:
        console.print("No skill passed, so there is nothing to serve. The table above says why.")
        sys.exit(1)
    console.rule("[bold]3  Served, and asked about three photos it has not seen", align="left")
    _ask_a_server(file, sorted((folder / "unseen").glob("*.jpg")), console)
    console.rule("[bold]4  Where to look", align="left")
    _say_where_to_look(folder, summary.paths, console)
    sys.exit(0 if summary.passed else 1)


def _draw(folder: Path, cars: int | None, seed: int, console: "Console") -> None:
    from coachworks.cli.terminal import TerminalProgress
    from coachworks.showroom import draw_showroom

    keywords = {} if cars is None else {"cars": cars}
    with TerminalProgress(console) as progress:
        draw_showroom(folder, seed=seed, progress=progress, **keywords)


def _ask_a_server(file: Path, photos: list[Path], console: "Console") -> None:
    from coachworks.cli.predict import predict
    from coachworks.cli.serve import serving

    with serving(file) as url:
        console.print(f"coachworks predict --url {url} " + " ".join(map(str, photos)), style="dim", highlight=False)
        predict.main(["--url", url, *map(str, photos)], standalone_mode=False)


def _say_where_to_look(folder: Path, paths: "dict[str, str] | object", console: "Console") -> None:
    places = dict(paths)  # type: ignore[call-overload]
    lines = {
        "The documents": places["document"],
        "What was checked": places["validation"],
        "What augmentation does": places["contact_sheet"],
        "How good the models are": places["evaluation"],
        "Comparing models": f"coachworks mlflow -f {folder}/fleet.yaml",
        "Serving them": f"coachworks serve -f {folder}/fleet.yaml",
        "Asking them": f"coachworks predict -f {folder}/fleet.yaml PHOTO…",
        "Playing with it": f"change a label in {folder}/photos.csv, then: coachworks run -f {folder}/fleet.yaml",
    }
    for title, place in lines.items():
        console.print(f"{title:<24} {place}", highlight=False, soft_wrap=True)
