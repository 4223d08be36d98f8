"""The augmentation policy: transforms, number of views, and views that depend only on photo and number."""

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.digests import digest_json
from coachworks.photos import decode_photo
from components.augment import declaration
from components.augment.box_jitter import moved_sides
from components.augment.copying import DONOR

if TYPE_CHECKING:
    from coachworks.fleet.model import Augment  # importing pydantic would double the start time of a worker

POLICY = "policy.json"
_DONOR_PX = 320  # as large as most backbones see a photo
Pixels = NDArray[np.uint8]
Augmented = Callable[[Pixels, str, int], Pixels]


@dataclass(frozen=True)
class Policy:
    """Augmentation policy for training photos.

    Attributes:
        views: Augmented views per training photo, beside the clean one.
        seed: Seed of the views.
        declared: The transforms in the form of the fleet file.
        transforms: The transforms as serialised by Albumentations, with all defaults and its version.
        view_digest: Digest of everything that decides a view's pixels; the number of views is not part of it.
        digest: Digest of the whole policy.
        donors: Keys of the training photos that transforms may copy from; none where no transform does.
    """

    views: int
    seed: int
    declared: Sequence[Mapping[str, Any]]
    transforms: Mapping[str, Any]
    view_digest: str
    digest: str
    donors: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the policy as JSON values, the content of `policy.json`."""
        return {
            "views": self.views,
            "seed": self.seed,
            "declared": [dict(item) for item in self.declared],
            "transforms": dict(self.transforms),
            "view_digest": self.view_digest,
            "digest": self.digest,
            **({"donors": list(self.donors)} if self.donors else {}),
        }


def policy_of(augment: "Augment", donors: Sequence[str] = ()) -> Policy:
    """Return the policy of a fleet file, after checking its transforms.

    Args:
        augment: `spec.augment`.
        donors: Keys of training photos; kept if a transform copies from other photos.

    Raises:
        InvalidConfigError: a transform or an argument does not exist or is refused.
    """
    declared = declared_transforms(augment)
    transforms = json.loads(json.dumps(declaration.build(declared).to_dict()))
    donors = tuple(donors) if declaration.copies(declared) else ()
    content: dict[str, Any] = {"seed": augment.seed, "declared": declared, "transforms": transforms}
    if donors:
        content["donors"] = list(donors)
    view_digest = digest_json(content)
    digest = digest_json({**content, "views": augment.views, "view_digest": view_digest})
    return Policy(augment.views, augment.seed, declared, transforms, view_digest, digest, donors)


def declared_transforms(augment: "Augment") -> list[dict[str, Any]]:
    """Return the transforms of a fleet file, else the default ones."""
    return list(declaration.DEFAULT if augment.transforms is None else augment.transforms)


def read_policy(folder: Path) -> Policy:
    """Read the policy from the folder of a result of augment."""
    return Policy(**json.loads((folder / POLICY).read_text("utf-8")))


def augmenter(policy: Policy, read: Callable[[str], bytes] | None = None) -> Augmented:
    """Return the function `augmented(image, photo_id, view)` of a policy.

    It takes uint8 RGB of shape (H, W, 3), the photo's id and the view's number from 1 on, and returns the view: uint8
    RGB, of a shape that the transforms decide. The view is a pure function of its arguments and the policy, so any
    number of workers in any order computes the same views. The function is not thread-safe: create one per worker.

    Args:
        policy: The policy.
        read: Reads a donor by its key; needed if the policy has donors.
    """
    composed = declaration.build(policy.declared)

    def augmented(image: Pixels, photo_id: str, view: int) -> Pixels:
        seed = view_seed(policy.view_digest, photo_id, view)
        donor = _donor(policy, read, photo_id, seed) if policy.donors and read else image
        composed.set_random_seed(seed)
        result: Pixels = np.ascontiguousarray(composed(image=image, **{DONOR: donor})["image"])
        return result

    return augmented


def applied(policy: Policy, photo_id: str, view: int) -> tuple[bool, ...]:
    """Return for each transform of the policy, in its order, whether it changes a view of a photo.

    Albumentations seeds every transform of a composition alike, and a transform's first draw decides whether it is
    applied; no pixels are needed to know it.
    """
    drawn = random.Random(view_seed(policy.view_digest, photo_id, view)).random()  # noqa: S311 — as Albumentations does
    return tuple(drawn < transform["p"] for transform in policy.transforms["transform"]["transforms"])


def moved_box(policy: Policy, photo_id: str, view: int) -> tuple[float, float, float, float] | None:
    """Return by which share of its width or height each side of the box of a view moves; None: the box stays."""
    transforms = policy.transforms["transform"]["transforms"]
    return moved_sides(transforms, applied(policy, photo_id, view), view_seed(policy.view_digest, photo_id, view))


def _donor(policy: Policy, read: Callable[[str], bytes], photo_id: str, seed: int) -> Pixels:
    """Return the photo that a view may copy from: any donor but the photo itself, if there is another."""
    others = [key for key in policy.donors if photo_id not in key] or policy.donors
    return np.asarray(decode_photo(read(others[seed % len(others)]), at_least_px=_DONOR_PX))


def view_seed(view_digest: str, photo_id: str, view: int) -> int:
    """Return the seed of one view of one photo, in [0, 2³²)."""
    return int.from_bytes(hashlib.sha256(f"{view_digest}/{photo_id}/{view}".encode()).digest()[:4], "big")
