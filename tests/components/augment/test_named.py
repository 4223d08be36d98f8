"""The toolkit's transforms by name."""

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Augment
from coachworks.store import FolderStore
from components.augment.named import TOOLKIT
from components.augment.policy import augmenter, policy_of
from components.augment.step import augment

GUIDE = (Path(__file__).parents[3] / "docs" / "guide" / "augmentation.md").read_text("utf-8")
PHOTO = np.random.default_rng(3).integers(0, 100, (120, 160, 3), dtype=np.uint8)
OTHER = np.full((90, 60, 3), 200, np.uint8)


def view(name: str, number: int = 1, **arguments: float) -> np.ndarray:
    return augmenter(policy_of(Augment(transforms=[{name: {**arguments, "p": 1.0}}])))(PHOTO, "a", number)


@pytest.mark.parametrize("name", TOOLKIT)
def test_every_transform_of_the_toolkit_changes_a_photo_and_keeps_its_size(name: str) -> None:
    if not name.startswith(("copy", "box-")):  # those need another photo, or a box
        assert not np.array_equal(view(name), PHOTO)
    assert view(name).shape == PHOTO.shape


@pytest.mark.parametrize("name", TOOLKIT)
def test_every_transform_of_the_toolkit_is_documented_with_its_arguments_and_defaults(name: str) -> None:
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| `{name}` |"))
    for argument, default in TOOLKIT[name].defaults.items():
        assert f"`{argument}: {default}`" in row
    assert TOOLKIT[name].summary in row


def test_flips_mirror_the_photo() -> None:
    assert np.array_equal(view("flip-left-right"), PHOTO[:, ::-1])
    assert np.array_equal(view("flip-up-down"), PHOTO[::-1])


def test_a_smaller_crop_box_cuts_half_of_the_percentage_off_each_side() -> None:
    import cv2

    kept = cv2.resize(PHOTO[12:-12, 16:-16], (160, 120), interpolation=cv2.INTER_LINEAR)
    assert np.abs(view("crop-smaller", percent=20).astype(int) - kept).max() <= 1


def test_a_larger_crop_box_adds_a_border_by_reflection() -> None:
    import cv2

    larger = cv2.copyMakeBorder(PHOTO, 12, 12, 16, 16, cv2.BORDER_REFLECT_101)
    expected = cv2.resize(larger, (160, 120), interpolation=cv2.INTER_LINEAR)
    assert np.abs(view("crop-larger", percent=20).astype(int) - expected).max() <= 1


def test_an_occlusion_covers_a_rectangle_of_at_most_its_percentage() -> None:
    for number in range(1, 6):
        covered = (view("occlusion", number, percent=40) == 127).all(2)
        rows, columns = covered.any(1).sum(), covered.any(0).sum()
        assert covered.sum() == rows * columns
        assert 0.19 <= rows / 120 <= 0.41
        assert 0.19 <= columns / 160 <= 0.41


def copied(name: str, number: int, **arguments: float) -> np.ndarray:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(OTHER).save(buffer, "PNG")
    policy = policy_of(Augment(transforms=[{name: {**arguments, "p": 1.0}}]), donors=["photos/other.png"])
    return augmenter(policy, {"photos/other.png": buffer.getvalue()}.__getitem__)(PHOTO, "a", number)


def test_copy_out_copies_one_square_of_another_photo() -> None:
    seen = set()
    for number in range(1, 6):
        square = (copied("copy-out", number, percent=50) == 200).all(2)
        assert square.any(1).sum() == square.any(0).sum() == 60
        assert square.sum() == 60 * 60
        seen.add(tuple(np.argwhere(square)[0]))
    assert len(seen) > 1


def test_copy_pairing_averages_or_copies() -> None:
    average = (PHOTO.astype(int) + 200 + 1) // 2
    averaged = [np.array_equal(copied("copy-pairing", number, paired=50), average) for number in range(1, 30)]
    assert 5 < sum(averaged) < 25
    assert np.array_equal(copied("copy-pairing", 1, paired=100), average)
    assert not np.array_equal(copied("copy-pairing", 1, paired=0), average)


def test_donors_are_training_photos_and_part_of_the_digests(store: FolderStore, upstream: ModuleType) -> None:
    drawn = upstream.photos(store, range(20))
    key = upstream.validated(store, drawn)
    fleet = upstream.fleet(store, augment={"transforms": [{"copy-out": {"p": 1.0}}]})
    policy = augment(fleet, key).file("policy.json").read_text()
    training = {photo.key for photo in drawn if photo.split == "train"}
    donors = set(re.findall(r'"(photos/[^"]+)"', policy))
    assert donors
    assert donors <= training
    with_donors, without = (policy_of(fleet.spec.augment, donors) for donors in (["photos/a.jpg"], []))
    assert with_donors.view_digest != without.view_digest


def test_donors_are_kept_only_where_a_transform_copies() -> None:
    assert policy_of(Augment(), donors=["photos/a.jpg"]) == policy_of(Augment())
    nested = Augment(transforms=[{"OneOf": {"transforms": [{"copy-out": {}}, {"rotation": {}}]}}])
    assert policy_of(nested, donors=["photos/a.jpg"]).donors == ("photos/a.jpg",)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ({"crop-larger": {"percnt": 5}}, r"'crop-larger' has no argument 'percnt'; it has: p, percent\. Did you mean"),
        (
            {"rotation": {"degrees": 200}},
            r"degrees of the transform 'rotation' must be .* in \[0, 180\]; got 200",
        ),
        ({"occlusion": {"p": "often"}}, r"p of the transform 'occlusion' must be a number in \[0, 1\]; got 'often'"),
        ({"flip-leftright": {}}, r"must be one of flip-left-right, .*Did you mean `flip-left-right`\?"),
    ],
)
def test_a_mistake_in_a_transform_of_the_toolkit_is_refused(transform: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        policy_of(Augment(transforms=[transform]))
