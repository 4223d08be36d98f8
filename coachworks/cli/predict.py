"""`coachworks predict`: classify photos with the packaged models, or by a server."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coachworks.cli.options import fleet_option, json_option
from coachworks.errors import InvalidConfigError, PhotoError

if TYPE_CHECKING:
    from rich.console import Console

    from coachworks.photos import Frame
    from serving.answer_format import Answer, ErrorBody


@dataclass(frozen=True)
class _Outcome:
    """Answers of one photo, or the reason why there are none."""

    file: Path
    answers: "dict[str, Answer] | None" = None
    error: "ErrorBody | None" = None


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PHOTO…")
@fleet_option
@json_option
@click.option("--url", help="Ask the server at this address instead.")
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path),
    help="File with the server's API key.  [default: the variable COACHWORKS_API_KEY]",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path),
    help="PEM file with the certificates that the server's is verified with.  [default: those of the system]",
)
@click.option("--skill", "skills", multiple=True, help="Only this skill; may be repeated.  [default: all]")
@click.option(
    "--box", metavar="X1,Y1,X2,Y2", help="Classify this part of each photo, in pixels.  [default: the whole photo]"
)
@click.option("--rotation-degrees", metavar="DEGREES", help="Turn each photo clockwise by 90, 180 or 270 before.")
def predict(
    photos: tuple[Path, ...],
    file: Path,
    as_json: bool,
    url: str | None,
    api_key_file: Path | None,
    ca_file: Path | None,
    skills: tuple[str, ...],
    box: str | None,
    rotation_degrees: str | None,
) -> None:
    """Classify photos with the packaged models, in this process. A folder means all photos in it.

    Models of a fleet with `framing` take a box or a rotation. Photos that cannot be used are listed with the reason;
    the exit status is then 1.

    \b
    Examples:
      coachworks predict car.jpg
      coachworks predict photos/ --skill image-quality --json
      coachworks predict car.jpg --box 40,60,600,420
      coachworks predict car.jpg --url http://127.0.0.1:3000
      coachworks predict car.jpg --url https://showroom.example --api-key-file key --ca-file ca.crt
    """  # noqa: D301 — \b is click's mark
    from rich.console import Console

    from coachworks.cli.console import say

    files, empty = _expand(photos)
    if url is None and (api_key_file or ca_file):
        raise InvalidConfigError("--api-key-file and --ca-file belong to a server. Name it with `--url`.")
    frame = _parsed(box, rotation_degrees)
    ask = _from_server(url, skills, frame, _key(api_key_file), ca_file) if url else _from_package(file, skills, frame)
    refused = 0
    documents = []
    console, problems = Console(), Console(stderr=True)
    for outcome in [*ask(files), *empty]:
        refused += outcome.error is not None
        if as_json:
            documents.append(_document(outcome))
        elif outcome.answers is not None:
            _show(outcome.file, outcome.answers, console)
        elif outcome.error is not None:
            reason = f"{outcome.error.message.rstrip('.')}. {outcome.error.way_out}"
            say(problems, f"{outcome.file}: {reason}", style="red", markup=False)
    if as_json:
        click.echo(json.dumps({"photos": documents}, ensure_ascii=False))
    if refused:
        say(problems, f"{refused} of {len(files) + len(empty)} could not be answered.")
        sys.exit(1)


def _parsed(box: str | None, rotation: str | None) -> "Frame":
    from coachworks.photos import Frame, parse_box, parse_turn

    try:
        return Frame(None if box is None else parse_box(box), 0 if rotation is None else parse_turn(rotation))
    except ValueError as err:
        raise InvalidConfigError(f"--box and --rotation-degrees: {err}") from err


def _expand(paths: Iterable[Path]) -> tuple[list[Path], list[_Outcome]]:
    """Return the files that `paths` name, and an outcome for each folder without photos."""
    from coachworks.photos import SUFFIXES
    from serving.answer_format import ErrorBody

    files: list[Path] = []
    empty: list[_Outcome] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        files += inside
        if not inside:
            error = ErrorBody(
                code="no-photos",
                message="the folder has no photos",
                way_out=f"Photos end in {', '.join(sorted(SUFFIXES))}.",
            )
            empty.append(_Outcome(path, error=error))
    return files, empty


def _from_package(file: Path, skills: Sequence[str], frame: "Frame") -> Callable[[Sequence[Path]], Iterator[_Outcome]]:
    from coachworks.cli.packaged import latest_package
    from serving.bundle import load_bundle
    from serving.errors import RefusalError, UnknownSkillError, refusal_for_photo
    from serving.predictor import PHOTOS_PER_PASS, Predictor, Query

    _, result = latest_package(file)
    bundle = load_bundle(result.file("bundle"))
    try:
        names = bundle.pick(skills or None)
    except UnknownSkillError as err:
        left_out = result.report.left_out
        reasons = [f"{name!r} is not in the package: {left_out[name]}" for name in skills if name in left_out]
        raise InvalidConfigError("\n".join(reasons) or str(err)) from err
    predictor = Predictor(bundle)

    def ask(files: Sequence[Path]) -> Iterator[_Outcome]:
        for start in range(0, len(files), PHOTOS_PER_PASS):
            block = files[start : start + PHOTOS_PER_PASS]
            outcomes: dict[Path, _Outcome] = {}
            queries: dict[Path, Query] = {}
            for path in block:
                data = _read(path)
                if isinstance(data, _Outcome):
                    outcomes[path] = data
                    continue
                try:
                    queries[path] = Query(predictor.prepare(data, frame), names)
                except PhotoError as err:
                    outcomes[path] = _Outcome(path, error=refusal_for_photo(err).document().error)
                except RefusalError as err:
                    outcomes[path] = _Outcome(path, error=err.document().error)
            if queries:
                answers = predictor.answer_queries(list(queries.values()))
                outcomes |= {path: _Outcome(path, answer) for path, answer in zip(queries, answers, strict=True)}
            yield from (outcomes[path] for path in block)

    return ask


def _key(file: Path | None) -> str | None:
    """Return the API key in `file`, else in COACHWORKS_API_KEY, else None."""
    place, text = f"--api-key-file {file}", os.environ.get("COACHWORKS_API_KEY") or None
    if file is None:
        place = "COACHWORKS_API_KEY"
    else:
        try:
            text = file.read_text("utf-8")
        except OSError as err:
            raise InvalidConfigError(f"{place} cannot be read: {err.strerror}") from err
        except UnicodeDecodeError as err:
            raise InvalidConfigError(f"{place} must hold the key as text; it does not") from err
    if text is None:
        return None
    key = text.strip()
    if not key or not all("!" <= character <= "~" for character in key):  # http.client's error would show it
        raise InvalidConfigError(f"{place} must hold one key: printable ASCII without spaces; it does not")
    return key


def _from_server(
    url: str, skills: Sequence[str], frame: "Frame", key: str | None, authority: Path | None
) -> Callable[[Sequence[Path]], Iterator[_Outcome]]:
    from serving.answer_format import Prediction
    from serving.client import Client
    from serving.errors import Code

    client = Client(url, key=key, authority=authority)

    def ask(files: Sequence[Path]) -> Iterator[_Outcome]:
        for path in files:
            data = _read(path)
            if isinstance(data, _Outcome):
                yield data
                continue
            reply = client.predict(data, skills, frame)
            if isinstance(reply, Prediction):
                yield _Outcome(path, reply.answers)
            elif reply.code == Code.UNKNOWN_SKILL:
                raise InvalidConfigError(reply.message)
            else:
                yield _Outcome(path, error=reply)

    return ask


def _read(path: Path) -> bytes | _Outcome:
    from coachworks.photos import MAX_BYTES
    from coachworks.regular_files import read_regular
    from serving.answer_format import ErrorBody

    try:
        return read_regular(path, MAX_BYTES + 1)  # one more, so that it is refused as too large
    except OSError as err:
        reason = "there is no such file" if isinstance(err, FileNotFoundError) else f"it cannot be read: {err.strerror}"
        return _Outcome(path, error=ErrorBody(code="unreadable", message=reason, way_out="Name a photo or a folder."))


def _document(outcome: _Outcome) -> dict[str, object]:
    return {
        "file": str(outcome.file),
        "answers": None
        if outcome.answers is None
        else {skill: answer.model_dump(exclude_none=True) for skill, answer in outcome.answers.items()},
        "error": outcome.error.model_dump() if outcome.error else None,
    }


def _show(file: Path, answers: "dict[str, Answer]", console: "Console") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(str(file)), title_justify="left", title_style="bold")
    table.add_column("skill")
    table.add_column("answer", style="green")
    table.add_column("probability", justify="right")
    table.add_column("runner-up")
    table.add_column("version", justify="right")
    for skill, answer in answers.items():
        runner_up = f"{answer.runner_up.label} {answer.runner_up.probability:.1%}"
        table.add_row(
            Text(skill), Text(answer.label), f"{answer.probability:.1%}", Text(runner_up), Text(answer.model_version)
        )
    console.print(table)
