"""The step augment as a library function."""

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
from components.augment.declaration import copies, names
from components.augment.policy import POLICY, Policy, augmenter, declared_transforms, policy_of
from components.augment.report import AugmentReport
from components.augment.sample import chosen

if TYPE_CHECKING:
    import pandas as pd

    from components.augment.contact_sheet import Row

_DONORS = 32  # enough that views differ, few enough to be read quickly
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
        validated = load(store, "validate", validate)
        policy = policy_of(settings, donors_of(store, validated, fleet))
        (folder / POLICY).write_text(json.dumps(policy.to_json(), indent=1, ensure_ascii=False), "utf-8")
        rows = _rows(store, validated, fleet, policy, config)
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
    uris = _uris(store, validated)
    augmented = augmenter(policy, store.read)
    rows = []
    for photo_id in chosen(labels, config.sheet_photos):
        image = decode_photo(store.read(str(uris[photo_id])), at_least_px=_SHEET_PX)
        pixels = np.asarray(image)
        views = range(1, min(policy.views, config.sheet_views) + 1)
        answers = labels[labels["photo_id"] == photo_id].sort_values("skill")
        caption = ", ".join(
            f"{skill}: {label}" for skill, label in zip(answers["skill"], answers["label"], strict=True)
        )
        rows.append(Row(caption, [image, *(Image.fromarray(augmented(pixels, photo_id, view)) for view in views)]))
    return rows


def donors_of(store: Store, validated: Result[Any], fleet: Fleet, *, always: bool = False) -> list[str]:
    """Return the keys of some training photos that transforms may copy from; none if no transform of the policy does.

    Args:
        store: The store.
        validated: The result of validate.
        fleet: The fleet.
        always: Return them whether or not the policy has such a transform.
    """
    from components.validate.admitted import admitted

    if not always and not copies(declared_transforms(fleet.spec.augment)):
        return []
    labels = admitted(store, validated, fleet)
    uris = _uris(store, validated)
    return [str(uris[photo_id]) for photo_id in chosen(labels[labels["split"] == "train"], _DONORS)]


def _uris(store: Store, validated: Result[Any]) -> "pd.Series[str]":
    """Return the key of each photo in the store, by its id."""
    return read_table(ancestor(store, validated, "ingest").path / "catalogue.parquet").set_index("photo_id")["uri"]


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
