import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import Augment
from components.augment.policy import augmenter, policy_of, read_policy

PHOTO = np.random.default_rng(3).integers(0, 256, (120, 160, 3), dtype=np.uint8)
MAKE_VIEWS = """
import hashlib, json, sys
import numpy as np
from coachworks.fleet.model import Augment
from components.augment.policy import augmenter, policy_of
photo = np.random.default_rng(3).integers(0, 256, (120, 160, 3), dtype=np.uint8)
augmented = augmenter(policy_of(Augment()))
pairs = json.loads(sys.argv[1])
made = {f"{p}/{v}": hashlib.sha256(augmented(photo, p, v).tobytes()).hexdigest() for p, v in pairs}
print(json.dumps({"views": made, "torch": "torch" in sys.modules}))
"""


def views_in_another_process(pairs: list[tuple[str, int]]) -> dict[str, dict[str, str]]:
    command = [sys.executable, "-c", MAKE_VIEWS, json.dumps(pairs)]
    result: dict[str, dict[str, str]] = json.loads(subprocess.check_output(command, text=True))
    return result


def test_workers_compute_the_same_views_in_any_order_byte_for_byte_without_torch() -> None:
    pairs = [(f"{number:064x}", view) for number in range(8) for view in (1, 2)]
    augmented = augmenter(policy_of(Augment()))
    here = {f"{p}/{v}": hashlib.sha256(augmented(PHOTO, p, v).tobytes()).hexdigest() for p, v in pairs}
    first, second = views_in_another_process(pairs[::-2]), views_in_another_process(pairs[::2])
    assert {**first["views"], **second["views"]} == here
    assert len(set(here.values())) == len(pairs)
    assert first["torch"] is False


def test_a_view_does_not_depend_on_views_computed_before() -> None:
    augmented = augmenter(policy_of(Augment()))
    first = augmented(PHOTO, "a", 1)
    augmented(PHOTO, "b", 2)
    assert np.array_equal(augmented(PHOTO, "a", 1), first)


def test_more_views_do_not_change_the_first_ones() -> None:
    two, three = policy_of(Augment(views=2)), policy_of(Augment(views=3))
    assert two.view_digest == three.view_digest
    assert two.digest != three.digest
    assert np.array_equal(augmenter(two)(PHOTO, "a", 2), augmenter(three)(PHOTO, "a", 2))


def test_another_seed_gives_other_views() -> None:
    policies = [policy_of(Augment(seed=seed)) for seed in (0, 1)]
    assert policies[0].view_digest != policies[1].view_digest
    first, second = (hashlib.sha256(augmenter(policy)(PHOTO, "a", 1).tobytes()).hexdigest() for policy in policies)
    assert first != second


def test_the_default_policy_keeps_a_sharp_photo_sharp_and_a_dark_one_dark() -> None:
    """Labels about the quality of the photo must stay true."""
    rng = np.random.default_rng(1)
    texture = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)

    def detail(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image.astype(float).mean(2), axis=1)).mean())

    augmented = augmenter(policy_of(Augment()))
    for view in range(1, 17):
        seen = augmented(texture, "a", view)
        assert detail(seen) > 0.6 * detail(texture)
        assert 0.75 < seen.mean() / texture.mean() < 1.25
        assert min(seen.shape[:2]) > 0.7 * 240


def test_a_policy_is_read_as_it_was_written(tmp_path: Path) -> None:
    policy = policy_of(Augment(views=1, transforms=[{"OneOf": {"transforms": [{"ToGray": {"p": 1}}], "p": 1.0}}]))
    (tmp_path / "policy.json").write_text(json.dumps(policy.to_json()))
    again = read_policy(tmp_path)
    assert again == policy
    grey = augmenter(again)(PHOTO, "a", 1)
    assert np.array_equal(grey[:, :, 0], grey[:, :, 1])


def test_without_transforms_the_photo_is_unchanged() -> None:
    assert np.array_equal(augmenter(policy_of(Augment(transforms=[])))(PHOTO, "a", 1), PHOTO)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ({"HorizontlFlip": {}}, r"one of Albumentations 2.*; got 'HorizontlFlip'\. Did you mean `HorizontalFlip`\?"),
        ({"Zebra42": {}}, r"got 'Zebra42'\.$"),
        ({"Lambda": {}}, r"got 'Lambda'"),
        ({"HorizontalFlip": {"prob": 0.5}}, r"the transform 'HorizontalFlip' has no argument 'prob'.*; it has: p"),
        ({"ColorJitter": {"brightnes": 1}}, r"has no argument 'brightnes'; .* Did you mean `brightness`\?"),
        ({"CoarseDropout": {"max_holes": 3}}, r"has no argument 'max_holes'.*it has: .*num_holes_range"),
        ({"HorizontalFlip": {"p": 3}}, r"'HorizontalFlip' refuses its arguments: p; Input should be less than"),
        ({"OneOf": {"transforms": [{"Rotate": 0.5}]}}, r"of the transform 'Rotate' must be a mapping; got 0\.5"),
        ({"OneOf": {"transforms": [{"ToGray": {}, "Blur": {}}]}}, r"must be one transform with its arguments"),
        ({"OneOf": {"transforms": ["ToGray"]}}, r"must be one transform with its arguments; got 'ToGray'"),
        ({"OneOf": {}}, r"the transform 'OneOf' must hold a list of transforms; got None"),
        ({"OneOf": {"transforms": [{"VerticleFlip": {}}]}}, r"got 'VerticleFlip'\. Did you mean `VerticalFlip`\?"),
        ({"Normalize": {"p": 0.01}}, r"the transform 'Normalize' must return an RGB photo of 8 bits"),
        ({"RandomCrop": {"height": 500, "width": 500}}, r"the transform 'RandomCrop' fails on a photo"),
    ],
)  # fmt: skip
def test_transforms_that_albumentations_only_warns_about_are_refused(
    transform: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        policy_of(Augment(transforms=[transform]))
