"""Likenesses are kept with a result of validate, and the next one compares new pairs only."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from coachworks.context import Context
from coachworks.photos import photo_key
from coachworks.progress import SILENT
from coachworks.results import latest, produce
from coachworks.store import FolderStore
from components.ingest.quality_measures import difference_hash
from components.validate.config import ValidateConfig
from components.validate.look_alikes import LIKENESSES, find_look_alikes
from validation import NearDuplicates

ALL = ("a", "b", "c")


@dataclass
class Notes:
    """Progress that keeps the notes."""

    texts: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.texts.append(text)

    def task(self, name: str, *, total: int | None, unit: str):
        return SILENT.task(name, total=total, unit=unit)


@dataclass
class Step:
    """Results with look-alikes among three photos of one scene."""

    store: FolderStore
    images: dict[str, Image.Image]
    read: list[str] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)

    def __call__(
        self, names: tuple[str, ...], code: str = "1", *, labels: str = "", refresh: bool = False
    ) -> NearDuplicates:
        """Publish a result of these photos, which becomes the latest; `read` names the photos that it opened."""
        hashes = [difference_hash(self.images[name].convert("L")) for name in names]
        photos = pd.DataFrame({"photo_id": list(names), "perceptual_hash": hashes})
        results: list[NearDuplicates] = []
        self.read.clear()
        again = frozenset({"validate"} if refresh else ())
        context = Context(self.store, progress=self.notes, refresh=again, run=str(len(names)))

        def image_of(name: str) -> Image.Image:
            self.read.append(name)
            return self.images[name]

        def build(folder: Path) -> dict[str, str]:
            results.append(find_look_alikes(photos, image_of, ValidateConfig(), context, folder=folder, code=code))
            return {}

        produce("validate", {"names": names, "labels": labels}, build, context=context, code=code)
        return results[0]

    @property
    def file(self) -> Path:
        return self.store.root / "results" / "validate" / latest(self.store, "validate") / LIKENESSES


@pytest.fixture
def step(store: FolderStore, draw: Callable[..., Image.Image]) -> Step:
    return Step(store, {name: draw(3, shift=shift) for shift, name in enumerate(ALL)})


def test_an_added_photo_is_compared_and_the_pairs_before_it_are_not(step: Step, tmp_path: Path) -> None:
    step(("a", "b"))
    added = step(ALL)
    assert sorted(step.read) == ["a", "b", "c"], "of the two new pairs"
    bytes_added = step.file.read_bytes()
    fresh = replace(step, store=FolderStore(tmp_path / "fresh"))
    assert (fresh(ALL), fresh.file.read_bytes()) == (added, bytes_added)
    assert len(added.likenesses) == 3


def test_where_only_labels_change_no_photo_is_read(step: Step) -> None:
    first = step(ALL)
    assert step(ALL, labels="others") == first
    assert step.read == []


def test_validate_keeps_the_likenesses_for_the_next_result(good_pile, judged, draw) -> None:
    for shift in (0, 1):
        photo_id = good_pile.add(draw(40, shift=shift), f"alike-{shift}.png", "train", {"colour": "red"})
    skill = {"labels": ["red", "blue"], "gates": {"minPhotosPerLabel": 5}}
    assert judged(good_pile, colour=skill).report.near_duplicates == 1
    good_pile.labels[-1]["label"] = "blue"
    good_pile.store.remove(photo_key(photo_id, "png"))
    assert judged(good_pile, colour=skill).report.near_duplicates == 1, "the photo is not read again"


def test_other_code_compares_all_pairs_again(step: Step) -> None:
    step(ALL)
    step(ALL, "2")
    assert sorted(step.read) == sorted(ALL)


def test_a_run_that_does_the_step_again_compares_all_pairs_again(step: Step) -> None:
    step(ALL)
    step(ALL, refresh=True)
    assert sorted(step.read) == sorted(ALL)


def test_damaged_likenesses_are_computed_again_with_a_note(step: Step) -> None:
    step(("a", "b"))
    data = step.file.read_bytes()
    step.file.write_bytes(data[:-9] + bytes(byte ^ 1 for byte in data[-9:]))
    assert len(step(ALL).likenesses) == 3
    (note,) = step.notes.texts
    assert note.startswith("comparing all look-alikes again: ")
    assert f"{LIKENESSES}' of the store {step.store.uri} is damaged" in note


def test_a_result_without_likenesses_is_that_of_an_earlier_version(step: Step) -> None:
    produce("validate", {}, lambda _: {}, context=Context(step.store), code="0")
    assert len(step(ALL).likenesses) == 3
    shutil.rmtree(step.store.root)
    assert len(step(ALL).likenesses) == 3
