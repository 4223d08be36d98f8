"""`coachworks show`: open the documents and pages of a run."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, known_skills

if TYPE_CHECKING:
    from pipelines.pages import Page

_BY_SKILL = ("document", "evaluation", "suspicious-labels")


@click.command()
@click.argument(
    "page",
    type=click.Choice(["document", "validation", "contact-sheet", "evaluation", "suspicious-labels"]),
    default="document",
)
@click.argument("skill", required=False)
@fleet_option
@click.option("--run", "run_id", metavar="ID", help="Pages of this run; default: the newest.")
@click.option("--output", metavar="FOLDER", type=click.Path(path_type=Path), help="Copy the files into this folder.")
@click.option("--no-browser", is_flag=True, help="Print the path only.")
def show(page: str, skill: str | None, file: Path, run_id: str | None, output: Path | None, no_browser: bool) -> None:
    """Open a page of the newest results in the browser: document (default), validation, contact-sheet and others.

    SKILL opens the document or the suspicious labels of one skill, or its lane's evaluation. From a store in a bucket
    the files are fetched into the local cache first. The path is printed, also where there is no browser.

    \b
    Examples:
      coachworks show
      coachworks show document image-quality
      coachworks show validation --output ./report
    """  # noqa: D301 — \b is click's mark
    from coachworks.errors import InvalidConfigError
    from coachworks.fleet.reader import read_fleet
    from coachworks.runs import load_run
    from coachworks.store import open_store
    from pipelines.pages import find_pages

    fleet = read_fleet(file)
    if skill is not None:
        known_skills(fleet, [skill])
        if page not in _BY_SKILL:
            raise InvalidConfigError(f"{page} is about all skills together; leave out {skill!r}")
    store = open_store(fleet.spec.store)
    document = None
    if run_id is not None:
        document = load_run(store, run_id).document
        if document is None:
            raise InvalidConfigError(
                f"the run {run_id} has no documents: `coachworks status --run {run_id}` shows its state. Without --run "
                "the newest pages are opened."
            )
    paths = [_place(found_page, output) for found_page in find_pages(store, page, skill, document)]
    for path in paths:
        click.echo(path)
    if not no_browser and _has_browser():
        import webbrowser

        for path in paths:
            webbrowser.open(path.absolute().as_uri())


def _place(page: "Page", output: Path | None) -> Path:
    """Return the local path of a page; with `output` that of its copy there."""
    path = page.fetch()
    if output is None:
        return path
    if page.result.step == "document":
        shutil.copytree(path.parent, output, dirs_exist_ok=True)
        return output / path.name
    output.mkdir(parents=True, exist_ok=True)
    name = f"evaluation-{page.result.key[:8]}.html" if page.result.step == "evaluate" else page.name.replace("/", "-")
    shutil.copyfile(path, output / name)
    return output / name


def _has_browser() -> bool:
    """Return whether a window can be opened for the person who called."""
    windows = sys.platform in {"darwin", "win32"} or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
    return sys.stdout.isatty() and windows
