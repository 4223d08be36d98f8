"""The augmentation policy: which transforms, how many views, and views that depend on nothing but photo and number."""

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
    from coachworks.fleet.model import Augment  # pydantic would double the start of a worker

POLICY = "policy.json"
Pixels = NDArray[np.uint8]
Augmented = Callable[[Pixels, str, int], Pixels]


@dataclass(frozen=True)
class Policy:
    """How training photos are varied.

    Attributes:
        views: Augmented views per training photo, beside the clean one.
        seed: Seed of the views.
        declared: The transforms as the fleet file writes them.
        transforms: The same as Albumentations serialises them, all defaults and its version spelt out.
        view_digest: Digest of what decides a view's pixels: more views leave those there are as they were.
        digest: Digest of the whole policy.
    """

    views: int
    seed: int
    declared: Sequence[Mapping[str, Any]]
    transforms: Mapping[str, Any]
    view_digest: str
    digest: str

    def to_json(self) -> dict[str, Any]:
        """The policy as JSON values, the content of `policy.json`."""
        return {
            "views": self.views,
            "seed": self.seed,
            "declared": [dict(item) for item in self.declared],
            "transforms": dict(self.transforms),
            "view_digest": self.view_digest,
            "digest": self.digest,
        }


def policy_of(augment: "Augment") -> Policy:
    """The policy that a fleet file asks for, checked.

    Raises:
        InvalidConfigError: a transform or an argument does not exist or is refused.
    """
    declared = declared_transforms(augment)
    transforms = json.loads(json.dumps(declaration.build(declared).to_dict()))
    what = {"seed": augment.seed, "declared": declared, "transforms": transforms}
    view_digest = digest_json(what)
    digest = digest_json({**what, "views": augment.views, "view_digest": view_digest})
    return Policy(augment.views, augment.seed, declared, transforms, view_digest, digest)


def declared_transforms(augment: "Augment") -> list[dict[str, Any]]:
    """The transforms that a fleet file declares, else the default ones."""
    return list(declaration.DEFAULT if augment.transforms is None else augment.transforms)


def read_policy(folder: Path) -> Policy:
    """The policy in the result of augment whose files are in `folder`."""
    return Policy(**json.loads((folder / POLICY).read_text("utf-8")))


def augmenter(policy: Policy) -> Augmented:
    """The function `augmented(image, photo_id, view)` of a policy.

    It takes uint8 RGB of shape (H, W, 3), the photo's id and the view's number from 1 on, and gives the view: uint8
    RGB, of a shape that the transforms decide. The view is a pure function of its arguments and the policy, so that
    any number of workers in any order makes the same ones. The function is not thread-safe: one per worker.
    """
    composed = declaration.build(policy.declared)

    def augmented(image: Pixels, photo_id: str, view: int) -> Pixels:
        composed.set_random_seed(view_seed(policy.view_digest, photo_id, view))
        result: Pixels = np.ascontiguousarray(composed(image=image)["image"])
        return result

    return augmented


def view_seed(view_digest: str, photo_id: str, view: int) -> int:
    """Seed of one view of one photo, in [0, 2³²)."""
    return int.from_bytes(hashlib.sha256(f"{view_digest}/{photo_id}/{view}".encode()).digest()[:4], "big")
