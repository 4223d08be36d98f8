"""The step augment as a library function."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.digests import canonical_json
from coachworks.fleet.model import Fleet
from coachworks.photos import decode_photo
from coachworks.result import Result
from coachworks.results import ancestor, load, produce
from coachworks.store import Store
from coachworks.tables import read_table
from coachworks.wording import counted
from components.augment.config import AugmentConfig
from components.augment.declaration import names
from components.augment.policy import POLICY, Policy, augmenter, declared_transforms, policy_of
from components.augment.report import AugmentReport

if TYPE_CHECKING:
    import pandas as pd

    from components.augment.contact_sheet import Row

_SHEET_PX = 320  # enough for a thumbnail, little enough to be quick


def augment(
    fleet: Fleet, validate: str, *, config: AugmentConfig | None = None, context: Context | None = None
) -> Result[AugmentReport]:
    """Choose the augmentation policy and draw its contact sheet.

    Args:
        fleet: The fleet, located; `spec.augment` is the policy.
        validate: Key of the result of validate; the contact sheet shows its photos.
        config: Settings; None for the defaults.
        context: The surroundings of the task; None opens the fleet's own store.

    Raises:
        InvalidConfigError: the policy names a transform or an argument that does not exist, or a value is refused.
    """
    config = config or AugmentConfig()
    context = context or open_context(fleet)
    store = context.store
    settings = fleet.spec.augment

    def build(folder: Path) -> AugmentReport:
        policy = policy_of(settings)
        (folder / POLICY).write_text(json.dumps(policy.to_json(), indent=1, ensure_ascii=False), "utf-8")
        rows = _rows(store, load(store, "validate", validate), fleet, policy, config)
        _write_sheet(folder, rows, fleet, policy)
        context.progress.note(
            f"{counted(policy.views, 'view')} per training photo: {', '.join(names(policy.declared)) or 'clean'}"
        )
        return AugmentReport(policy.views, policy.digest, names(policy.declared), len(rows))

    inputs = {
        "validate": validate,
        "policy": {"views": settings.views, "seed": settings.seed, "transforms": declared_transforms(settings)},
        "sheet": {"photos": config.sheet_photos, "views": config.sheet_views},
    }
    return produce(AugmentReport, inputs, build, context=context, code=code_digest(__name__))


def _rows(store: Store, validated: Result[Any], fleet: Fleet, policy: Policy, config: AugmentConfig) -> "list[Row]":
    from PIL import Image

    from components.augment.contact_sheet import Row
    from components.validate.admitted import admitted

    labels = admitted(store, validated, fleet)
    labels = labels[labels["split"] == "train"]
    uris = read_table(ancestor(store, validated, "ingest").path / "catalogue.parquet").set_index("photo_id")["uri"]
    augmented = augmenter(policy)
    rows = []
    for photo_id in _chosen(labels, config.sheet_photos):
        image = decode_photo(store.read(str(uris[photo_id])), at_least_px=_SHEET_PX)
        pixels = np.asarray(image)
        views = range(1, min(policy.views, config.sheet_views) + 1)
        answers = labels[labels["photo_id"] == photo_id].sort_values("skill")
        caption = ", ".join(
            f"{skill}: {label}" for skill, label in zip(answers["skill"], answers["label"], strict=True)
        )
        rows.append(Row(caption, [image, *(Image.fromarray(augmented(pixels, photo_id, view)) for view in views)]))
    return rows


def _chosen(labels: "pd.DataFrame", count: int) -> list[str]:
    """Choose photos that show as many labels as possible: one of each label in turn, in a pseudo-random order."""
    photos: dict[tuple[str, str], list[str]] = {}
    for photo_id, skill, label in zip(labels["photo_id"], labels["skill"], labels["label"], strict=True):
        photos.setdefault((skill, label), []).append(str(photo_id))
    piles = [iter(sorted(pile, key=_random_order)) for pile in photos.values()]
    chosen: dict[str, None] = {}
    while piles and len(chosen) < count:
        for pile in list(piles):
            photo_id = next((candidate for candidate in pile if candidate not in chosen), None)
            if photo_id is None:
                piles.remove(pile)
            else:
                chosen[photo_id] = None
    return list(chosen)[:count]


def _random_order(photo_id: str) -> bytes:
    return hashlib.sha256(photo_id.encode()).digest()


def _write_sheet(folder: Path, rows: "list[Row]", fleet: Fleet, policy: Policy) -> None:
    from components.augment.contact_sheet import draw_page, draw_sheet

    (folder / "contact-sheet.jpg").write_bytes(draw_sheet(rows))
    summary = (
        f"Models learn from every training photo unchanged and in {counted(policy.views, 'view')}. Check that each "
        "label still holds in every view: a flip, for example, turns left into right. Validation and test photos are "
        "never augmented."
    )
    lines = [
        f"{name}: {canonical_json(arguments or {})}" for item in policy.declared for name, arguments in item.items()
    ]
    page = draw_page(rows, title=f"Augmented views · {fleet.name}", summary=summary, transforms=lines)
    (folder / "contact-sheet.html").write_text(page, "utf-8")
