"""Suspicious labels of each skill: a table that people answer, and a page with the photos."""

import base64
import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.fleet.model import Fleet
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.results import ancestor
from coachworks.tables import SUSPICIOUS_LABELS, read_table
from components.train.label_noise import LabelNoise
from components.train.lane_photos import LanePhotos

if TYPE_CHECKING:
    import pandas as pd

TABLE, PAGE = "suspicious-labels.csv", "suspicious-labels.html"
PICTURES = 40  # photos on a page, about 6 kB each; the table lists all
_CONFUSIONS = 8  # pairs of labels on a page
_TEMPLATE = Path(__file__).parent / "suspicious_labels.html.jinja"


def write_suspicious_labels(
    fleet: Fleet,
    result: Result[Any],
    labels: "pd.DataFrame",
    photos: LanePhotos,
    noise: Mapping[str, LabelNoise],
    progress: Progress,
    folder: Path,
) -> None:
    """Write the table and the page of each skill whose labels could be judged.

    Args:
        fleet: The fleet.
        result: A result that was made from that of ingest.
        labels: Columns `photo_id`, `set_id`, `skill`, `split` of the lane's labels.
        photos: The photos that the rows of the noise count, training photos first.
        noise: Noise of the labels of each skill.
        progress: Receives updates.
        folder: Receives `<skill>/suspicious-labels.csv` and `.html`.
    """
    from components.validate.thumbnails import Thumbnails, photo_reader

    judged = {skill: own for skill, own in noise.items() if own.photos}
    if not judged:
        return
    every = [*photos.train, *photos.validation]
    ingest = ancestor(result.store, result, "ingest")
    catalogue = read_table(ingest.path / "catalogue.parquet")
    names = dict(zip(catalogue["photo_id"], catalogue["filename"], strict=True))
    placed = labels.drop_duplicates("photo_id").set_index("photo_id")[["set_id", "split"]]
    read = photo_reader(ingest.store, catalogue, at_least_px=160)
    thumbnails = Thumbnails(read, limit=PICTURES * len(judged))
    with progress.task("suspicious labels", total=len(judged), unit="skills") as task:
        for skill, own in judged.items():
            ids = [every[row] for row in own.rows]
            rows = _rows(own, ids, names, placed.loc[ids], fleet.skill(skill).labels)
            table = folder / skill / TABLE
            write_rows(rows, skill, table)
            page = _page(fleet, skill, own, rows, table.read_bytes(), thumbnails.uri)
            (folder / skill / PAGE).write_text(page, "utf-8")
            task.advance()


def write_rows(rows: Sequence[Mapping[str, Any]], skill: str, path: Path) -> None:
    """Write a table of suspicious labels, with an empty column for answers to the skill.

    It is UTF-8 with a byte-order mark, without which spreadsheets take other letters than those of English wrongly.
    """
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, ["filename", skill, *SUSPICIOUS_LABELS, "photo_id"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({**row, skill: ""} for row in rows)


def _rows(
    noise: LabelNoise, ids: Sequence[str], names: Mapping[str, str], placed: "pd.DataFrame", labels: Sequence[str]
) -> list[dict[str, Any]]:
    columns = zip(
        ids,
        noise.labelled.tolist(),
        noise.proposed.tolist(),
        noise.probabilities.tolist(),
        placed["set_id"],
        placed["split"],
        strict=True,
    )
    return [
        {
            "filename": names[photo_id],
            "suspicion_rank": rank,
            "given_label": labels[own],
            "given_probability": f"{certainty:.4f}",
            "proposed_label": labels[proposed],
            "proposed_probability": f"{other:.4f}",
            "photo_set": set_id,
            "photo_split": split,
            "photo_id": photo_id,
        }
        for rank, (photo_id, own, proposed, (certainty, other), set_id, split) in enumerate(columns, 1)
    ]


def _page(
    fleet: Fleet,
    skill: str,
    noise: LabelNoise,
    rows: Sequence[Mapping[str, Any]],
    table: bytes,
    thumbnail: Callable[[str], str | None],
) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda share: f"{100 * float(share):.1f} %"
    return environment.from_string(_TEMPLATE.read_text("utf-8")).render(
        fleet=fleet.name,
        skill=skill,
        question=fleet.skill(skill).question,
        unsure=fleet.skill(skill).unsure,
        noise=noise,
        total=len(rows),
        cards=[{**row, "picture": thumbnail(row["photo_id"])} for row in rows[:PICTURES]],
        confusions=confusions(noise, fleet.skill(skill).labels)[:_CONFUSIONS],
        table=f"data:text/csv;base64,{base64.b64encode(table).decode()}",
        name=f"{skill}-{TABLE}",
    )


def confusions(noise: LabelNoise, labels: Sequence[str]) -> list[tuple[str, str, float, float]]:
    """Return true label, wrongly given label, estimated photos and their share of the true label's, the most first."""
    pairs = [
        (labels[true], labels[mistaken], float(noise.joint[mistaken, true]), float(noise.transition[true, mistaken]))
        for true in range(len(labels))
        for mistaken in range(len(labels))
        if mistaken != true and noise.joint[mistaken, true] >= 0.5  # of a photo
    ]
    return sorted(pairs, key=lambda pair: -pair[2])
