"""The augmentation policy: transforms, number of views, and views that depend only on photo and number."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coachworks.digests import digest_json
from components.augment import declaration

if TYPE_CHECKING:
    from coachworks.fleet.model import Augment  # importing pydantic would double the start time of a worker

POLICY = "policy.json"
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
    """

    views: int
    seed: int
    declared: Sequence[Mapping[str, Any]]
    transforms: Mapping[str, Any]
    view_digest: str
    digest: str

    def to_json(self) -> dict[str, Any]:
        """Return the policy as JSON values, the content of `policy.json`."""
        return {
            "views": self.views,
            "seed": self.seed,
            "declared": [dict(item) for item in self.declared],
            "transforms": dict(self.transforms),
            "view_digest": self.view_digest,
            "digest": self.digest,
        }


def policy_of(augment: "Augment") -> Policy:
    """Return the policy of a fleet file, after checking its transforms.

    Raises:
        InvalidConfigError: a transform or an argument does not exist or is refused.
    """
    declared = declared_transforms(augment)
    transforms = json.loads(json.dumps(declaration.build(declared).to_dict()))
    content = {"seed": augment.seed, "declared": declared, "transforms": transforms}
    view_digest = digest_json(content)
    digest = digest_json({**content, "views": augment.views, "view_digest": view_digest})
    return Policy(augment.views, augment.seed, declared, transforms, view_digest, digest)


def declared_transforms(augment: "Augment") -> list[dict[str, Any]]:
    """Return the transforms of a fleet file, else the default ones."""
    return list(declaration.DEFAULT if augment.transforms is None else augment.transforms)


def read_policy(folder: Path) -> Policy:
    """Read the policy from the folder of a result of augment."""
    return Policy(**json.loads((folder / POLICY).read_text("utf-8")))


def augmenter(policy: Policy) -> Augmented:
    """Return the function `augmented(image, photo_id, view)` of a policy.

    It takes uint8 RGB of shape (H, W, 3), the photo's id and the view's number from 1 on, and returns the view: uint8
    RGB, of a shape that the transforms decide. The view is a pure function of its arguments and the policy, so any
    number of workers in any order computes the same views. The function is not thread-safe: create one per worker.
    """
    composed = declaration.build(policy.declared)

    def augmented(image: Pixels, photo_id: str, view: int) -> Pixels:
        composed.set_random_seed(view_seed(policy.view_digest, photo_id, view))
        result: Pixels = np.ascontiguousarray(composed(image=image)["image"])
        return result

    return augmented


def view_seed(view_digest: str, photo_id: str, view: int) -> int:
    """Return the seed of one view of one photo, in [0, 2³²)."""
    return int.from_bytes(hashlib.sha256(f"{view_digest}/{photo_id}/{view}".encode()).digest()[:4], "big")
