"""Small stores with fabricated results of ingest and split."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from small_fleets import small_fleet

from coachworks.context import Context
from coachworks.digests import digest_bytes
from coachworks.fleet.model import Checks, Fleet
from coachworks.photos import photo_key
from coachworks.result import Result
from coachworks.results import produce
from coachworks.store import FolderStore
from coachworks.tables import CATALOGUE, SPLIT_LABELS, VOTES, write_table
from components.ingest.quality_measures import difference_hash
from components.validate.report import ValidateReport
from components.validate.step import validate

INGESTED_AT = datetime(2026, 1, 2)


def drawn(seed: int, *, shift: int = 0, size: int = 160) -> Image.Image:
    """Draw a photo of coloured blocks; the same seed gives the same scene, `shift` moves the camera."""
    blocks = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    scene = Image.fromarray(blocks).resize((size + 8, size + 8), Image.Resampling.BICUBIC)
    return scene.crop((shift, shift, shift + size, shift + size))


@dataclass
class Pile:
    """Builder of photos, votes and labels, published as results of ingest and split."""

    store: FolderStore
    folder: Path
    photos: list[dict[str, Any]] = field(default_factory=list)
    labels: list[dict[str, Any]] = field(default_factory=list)
    votes: list[dict[str, Any]] = field(default_factory=list)

    def add(self, image: Image.Image, filename: str, split: str, answers: dict[str, str | None], **row: Any) -> str:
        path = self.folder / "aside.png"
        text = PngInfo()
        text.add_text("Title", filename)  # equal images are different files
        image.save(path, pnginfo=text)
        photo_id = digest_bytes(path.read_bytes())
        uri = photo_key(photo_id, "png")
        self.store.write(uri, path.read_bytes())
        self.photos.append(
            {
                **dict.fromkeys(CATALOGUE),
                "photo_id": photo_id,
                "uri": uri,
                "filename": filename,
                "source": "own",
                "permission": "written",
                "set_id": f"set of {filename}",
                "split": split,
                "ingested_at": INGESTED_AT,
                "width_px": image.width,
                "height_px": image.height,
                "format": "PNG",
                "sharpness": 500.0,
                "brightness": 0.5,
                "contrast": 0.2,
                "perceptual_hash": difference_hash(image.convert("L")),
                **row,
            }
        )
        for skill, label in answers.items():
            self.label(photo_id, skill, label, split)
            self.vote(photo_id, skill, label, f"own:{filename}")
        return photo_id

    def label(self, photo_id: str, skill: str, label: str | None, split: str) -> None:
        self.labels.append(
            {
                "photo_id": photo_id,
                "skill": skill,
                "label": label,
                "confidence": 1.0,
                "votes": 1,
                "agreement": 1.0,
                "split": split,
            }
        )

    def vote(self, photo_id: str, skill: str, label: str | None, annotator: str) -> None:
        self.votes.append(
            {"photo_id": photo_id, "skill": skill, "annotator": annotator, "label": label, "answered_at": None}
        )

    def published(self, *, without: str | None = None) -> str:
        """Publish the results, the table of splits without one of its columns; return the key of that of split."""
        import pandas as pd

        def frame(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
            return pd.DataFrame(rows, columns=list(columns) if not rows else None)

        def ingest(folder: Path) -> dict[str, Any]:
            write_table(frame(self.photos, CATALOGUE), folder / "catalogue.parquet", CATALOGUE)
            write_table(frame(self.votes, VOTES), folder / "votes.parquet", VOTES)
            return {}

        def split(folder: Path) -> dict[str, Any]:
            columns = {"photo_id": "string", "set_id": "string", "split": "string"}
            write_table(frame(self.labels, SPLIT_LABELS), folder / "labels.parquet", SPLIT_LABELS)
            columns.pop(without or "", None)
            photos = frame(self.photos, CATALOGUE)[list(columns)]
            write_table(photos, folder / "splits.parquet", columns)
            return {}

        seed = repr((self.photos, self.labels, self.votes))
        first = produce("ingest", {"seed": seed}, ingest, context=Context(self.store), code="")
        return produce("split", {"ingest": first.key}, split, context=Context(self.store), code="").key


@pytest.fixture
def pile(store: FolderStore, tmp_path: Path) -> Pile:
    return Pile(store, tmp_path)


@pytest.fixture(scope="session")
def draw() -> Callable[..., Image.Image]:
    """Function that draws a scene by its seed."""
    return drawn


@pytest.fixture
def good_pile(pile: Pile) -> Pile:
    """Enough photos for a skill `colour` with the labels red and blue."""
    return fill(pile)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Fleet, str, Result[ValidateReport]]:
    """Such photos, validated once: the fleet, the key of the result of split, the result of validate."""
    folder = tmp_path_factory.mktemp("good")
    pile = fill(Pile(FolderStore(folder / "store"), folder))
    skills = {"colour": {"labels": ["red", "blue"], "gates": {"minPhotosPerLabel": 5}}}
    fleet, split = small_fleet(skills, store=pile.store.uri), pile.published()
    return fleet, split, validate(fleet, split)


def fill(pile: Pile) -> Pile:
    """Add the photos of `good_pile`."""
    for seed in range(12):
        split = ("train", "train", "validation", "test")[seed // 2 % 4]
        pile.add(drawn(seed), f"{seed:02}.png", split, {"colour": ("red", "blue")[seed % 2]})
    return pile


@pytest.fixture
def fleet_of(store: FolderStore) -> Callable[..., Fleet]:
    """Function that builds a fleet on the store from skills in the form of the fleet file."""

    def build(checks: Checks | None = None, **skills: dict[str, Any]) -> Fleet:
        return small_fleet(skills, store=store.uri, checks=checks or Checks())

    return build


@pytest.fixture
def judged(fleet_of: Callable[..., Fleet]) -> Callable[..., Any]:
    """Function that validates a pile for skills and returns the result."""

    def run(pile: Pile, checks: Checks | None = None, **skills: dict[str, Any]) -> Any:
        return validate(fleet_of(checks, **skills), pile.published())

    return run
