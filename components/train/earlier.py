"""Earlier training of a skill: found by all that decides its choices, and compared with the photos of today.

A skill whose photos and labels have hardly changed since its candidates competed need not repeat the competition: its
training continues from that one, which is always the last complete competition and never itself a continuation. So
the outcome depends on two results, not on the whole history of a store.
"""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from coachworks.digests import digest_json
from coachworks.errors import DamagedError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from coachworks.results import ReportError, ancestor, load
from coachworks.store import Store
from components.embed.report import EmbedReport
from components.train.config import TrainConfig
from components.train.report import TrainReport
from components.train.selection import FINE_TUNE
from components.train.usable_views import broken_transforms
from components.validate.admitted import admitted
from components.validate.report import ValidateReport

if TYPE_CHECKING:
    import pandas as pd

SMALL = 0.05  # share of a skill's training and validation photos; the standard error of 2,000 photos is about 1 point


@dataclass(frozen=True, eq=False)
class Earlier:
    """A complete competition of a skill, and what has changed since.

    Attributes:
        result: The result of train that holds it.
        changed: Ids of training and validation photos that came, went, or got another label or split since.
        photos: Number of training and validation photos that it was trained on.
    """

    result: Result[TrainReport]
    changed: frozenset[str]
    photos: int


def choices_of(fleet: Fleet, embed: Result[EmbedReport], skill: str, config: TrainConfig, code: str) -> str:
    """Return the name of the link from a skill to its last complete competition.

    The name is a digest of all that decides a competition beside the photos and their labels.
    """
    report = embed.report
    broken = broken_transforms(report.study, [skill]).get(skill, {})
    decisive = {
        "skill": skill,
        "labels": fleet.skill(skill).labels,
        "candidates": sorted(fleet.candidates(skill)),
        "settings": asdict(config),
        "exchange_labels": fleet.spec.augment.exchange_labels,
        "space": report.space,
        "backbone": report.backbone_digest,
        "groups": list(report.group_sizes),
        "views": [report.views, report.view_digest],
        "policy": report.policy_digest,
        "broken": {name: [effect.verdict, dict(effect.exchange)] for name, effect in broken.items()},
        "code": code,
    }
    if FINE_TUNE in fleet.candidates(skill) and (enough := fleet.enough_without_tuning(skill)) is not None:
        decisive["enough_without_tuning"] = enough
    return f"latest/competition/{digest_json(decisive)[:32]}"


def training_of(store: Store, links: Mapping[str, str], inputs: Mapping[str, Any]) -> Result[TrainReport] | None:
    """Return a linked result of these very inputs, whatever it was to continue from; None if there is none.

    Where candidates competed although their training was to continue, the result is linked as a competition. Without
    this look, the next run would continue from it and give the same photos another result.

    Args:
        store: The store.
        links: The skills, and the name of each one's link.
        inputs: Inputs of the lane's training, without what it continues from.
    """
    for link in links.values():
        try:
            result = load(store, TrainReport, store.resolve_link(link).rpartition("/")[2])
        except (NotFoundError, DamagedError, ReportError):
            continue
        if {name: value for name, value in result.inputs.items() if name != "continues"} == inputs:
            return result
    return None


def earlier_training(
    store: Store, fleet: Fleet, labels: "pd.DataFrame", links: Mapping[str, str]
) -> dict[str, Earlier]:
    """Return the competition that each skill may continue from; skills that must compete again are left out.

    Args:
        store: The store.
        fleet: The fleet.
        labels: Admitted labels of today, one row per photo and skill.
        links: The skills, and the name of each one's link.
    """

    @functools.cache
    def trained(key: str) -> "tuple[Result[TrainReport], pd.DataFrame]":
        result = load(store, TrainReport, key)
        return result, admitted(store, ancestor(store, result, ValidateReport), fleet)

    earlier = {}
    for skill, link in links.items():
        try:
            result, table = trained(store.resolve_link(link).rpartition("/")[2])
        except (NotFoundError, DamagedError, ReportError):
            continue  # somebody removed it, or an older version wrote it
        record = result.report.skills[skill]
        if record.label_noise is not None and record.label_noise.losses:
            continue  # its loss was chosen by how many labels are wrong, and people may be correcting them
        before, now = (_learnt(rows, skill) for rows in (table, labels))
        changed = frozenset(photo_id for photo_id, *_ in before ^ now)
        if not record.refitted and (changed or record.winner != FINE_TUNE):
            continue  # without validation photos nothing says whether its choices still hold; a network is not refitted
        if len(changed) <= SMALL * len(before):
            earlier[skill] = Earlier(result, changed, len(before))
    return earlier


def _learnt(labels: "pd.DataFrame", skill: str) -> set[tuple[str, ...]]:
    """Rows of a skill's training and validation photos."""
    rows = labels[(labels["skill"] == skill) & (labels["split"] != "test")]
    return set(rows[["photo_id", "label", "split", "set_id"]].itertuples(index=False, name=None))


def keep_links(store: Store, links: Mapping[str, str], key: str) -> None:
    """Make the result `key` the last complete competition of the skills of `links`."""
    for link in links.values():
        store.set_link(link, f"results/{TrainReport.STEP}/{key}")
