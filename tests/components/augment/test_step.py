import json
import re
from types import ModuleType

import pytest
from PIL import Image

from coachworks.digests import digest_json
from coachworks.errors import InvalidConfigError
from coachworks.store import FolderStore
from components.augment.config import AugmentConfig
from components.augment.step import augment


def test_the_policy_is_written_out_with_its_digest(store: FolderStore, upstream: ModuleType) -> None:
    key = upstream.validated(store, upstream.photos(store, range(12)))
    result = augment(upstream.fleet(store, augment={"views": 3, "seed": 7}), key)
    policy = json.loads((result.path / "policy.json").read_text())
    assert (policy["views"], policy["seed"]) == (3, 7)
    assert policy["transforms"]["__version__"] == "2.0.8"
    assert policy["digest"] == digest_json({k: v for k, v in policy.items() if k != "digest"})
    assert result.report.policy_digest == policy["digest"]
    assert result.report.transforms == ["RandomCropFromBorders", "HorizontalFlip", "Rotate", "ColorJitter"]


def test_the_contact_sheet_shows_training_photos_of_every_label_with_their_views(
    store: FolderStore, upstream: ModuleType
) -> None:
    drawn = upstream.photos(store, range(20))
    result = augment(upstream.fleet(store), upstream.validated(store, drawn), config=AugmentConfig(sheet_photos=6))
    page = (result.path / "contact-sheet.html").read_text("utf-8")
    assert result.report.photos_shown == 6
    assert page.count("<img ") == 6 * 3
    assert {label: page.count(f"<figcaption>colour: {label}<") for label in upstream.LABELS} == dict.fromkeys(
        upstream.LABELS, 2
    )
    with Image.open(result.path / "contact-sheet.jpg") as sheet:
        assert sheet.format == "JPEG"
        assert sheet.height > 6 * 176


def test_the_page_loads_nothing_from_elsewhere(store: FolderStore, upstream: ModuleType) -> None:
    result = augment(upstream.fleet(store), upstream.validated(store, upstream.photos(store, range(5))))
    page = (result.path / "contact-sheet.html").read_text("utf-8")
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)", page)
    assert "<script" not in page


def test_captions_are_escaped(store: FolderStore, upstream: ModuleType) -> None:
    from components.augment.contact_sheet import Row, draw_page

    page = draw_page([Row("<b>x</b>", [Image.new("RGB", (9, 9))])], title="t", summary="s", transforms=[])
    assert "<b>x</b>" not in page


def test_a_fleet_whose_skills_were_all_dropped_still_has_a_policy(store: FolderStore, upstream: ModuleType) -> None:
    key = upstream.validated(store, upstream.photos(store, range(5)), passed=False)
    result = augment(upstream.fleet(store), key)
    assert result.report.photos_shown == 0
    assert "nothing to show" in (result.path / "contact-sheet.html").read_text("utf-8")


def test_the_result_is_reused_until_the_seed_changes(store: FolderStore, upstream: ModuleType) -> None:
    key = upstream.validated(store, upstream.photos(store, range(5)))
    first = augment(upstream.fleet(store), key)
    assert augment(upstream.fleet(store), key).reused
    assert augment(upstream.fleet(store), key).key == first.key
    assert augment(upstream.fleet(store, augment={"seed": 1}), key).key != first.key


def test_a_mistyped_transform_stops_the_step(store: FolderStore, upstream: ModuleType) -> None:
    key = upstream.validated(store, upstream.photos(store, range(5)))
    fleet = upstream.fleet(store, augment={"transforms": [{"Horizontalflip": {}}]})
    with pytest.raises(InvalidConfigError, match="Did you mean `HorizontalFlip`"):
        augment(fleet, key)


@pytest.mark.parametrize("setting", ["sheet_photos", "sheet_views"])
def test_settings_out_of_range_are_refused(setting: str) -> None:
    with pytest.raises(InvalidConfigError, match=f"{setting} must be an integer in"):
        AugmentConfig(**{setting: 0})
