"""Writing the bundle: the backbone once, a head per skill, and the manifest that names them all by digest."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachworks.digests import digest_file
from coachworks.errors import DataError, NotFoundError
from coachworks.fleet.model import Fleet
from coachworks.models.backbone import read_backbone
from coachworks.models.champions import Champion, head_bytes, head_manifest
from coachworks.models.keys import onnx_key
from coachworks.models.manifest import BACKBONE, MANIFEST, Manifest, PackagedBackbone, PackagedHead, head_file
from coachworks.store import Store


@dataclass(frozen=True)
class Choice:
    """What goes into the bundle.

    Attributes:
        backbone: Digest of the backbone that all of its heads read.
        heads: Each skill's champion and what register wrote beside its head.
        left_out: Skills whose champion reads another backbone, each with the reason.
    """

    backbone: str
    heads: Mapping[str, tuple[Champion, Mapping[str, Any]]]
    left_out: Mapping[str, str]


def choose(store: Store, champions: Mapping[str, Champion]) -> Choice:
    """The champions that can share one backbone pass: those of the backbone that most of them read.

    Raises:
        NotFoundError: the store does not hold a champion's head.
    """
    heads = {skill: (champion, head_manifest(store, champion)) for skill, champion in champions.items()}
    votes = Counter(beside["backbone_digest"] for _, beside in heads.values())
    newest = {beside["backbone_digest"]: beside["created_at"] for _, beside in _oldest_first(heads)}
    backbone = max(votes, key=lambda digest: (votes[digest], newest[digest]))
    return Choice(
        backbone=backbone,
        heads={skill: pair for skill, pair in heads.items() if pair[1]["backbone_digest"] == backbone},
        left_out={
            skill: f"its champion, version {champion.version}, reads another backbone than most: "
            f"{beside.get('backbone') or beside['backbone_digest'][:12]}. Train it on the fleet's backbone again."
            for skill, (champion, beside) in heads.items()
            if beside["backbone_digest"] != backbone
        },
    )


def _oldest_first(
    heads: Mapping[str, tuple[Champion, Mapping[str, Any]]],
) -> list[tuple[Champion, Mapping[str, Any]]]:
    return sorted(heads.values(), key=lambda pair: str(pair[1]["created_at"]))


def describe(store: Store, fleet: Fleet, choice: Choice) -> Manifest:
    """The manifest of the bundle of `choice`: every version and digest, without a file of it.

    Raises:
        NotFoundError: the backbone is not in the store.
    """
    spec = read_backbone(store, choice.backbone)
    skills = {
        skill: PackagedHead(
            question=fleet.skill(skill).question,
            labels=list(beside["labels"]),
            kind=beside["kind"],
            version=champion.version,
            head_sha256=champion.head_digest,
            metrics=dict(beside.get("metrics") or {}),
            provenance={
                **(beside.get("provenance") or {}),
                **{name: beside.get(name) for name in ("data_digest", "evaluate", "code_version", "created_at")},
            },
        )
        for skill, (champion, beside) in choice.heads.items()
    }
    return Manifest(
        fleet=fleet.name,
        created_at=str(_oldest_first(choice.heads)[-1][1]["created_at"]),
        backbone=PackagedBackbone(**spec.to_json(), sha256=spec.onnx_sha256),
        skills=skills,
    )


def write_bundle(store: Store, fleet: Fleet, choice: Choice, folder: Path) -> Manifest:
    """Write the bundle of `choice` into the new folder `folder`.

    Raises:
        DataError: a head or the backbone in the store is not the one that was registered.
        NotFoundError: one of them is not in the store.
    """
    manifest = describe(store, fleet, choice)
    (folder / "heads").mkdir(parents=True)
    backbone = folder / BACKBONE
    backbone.write_bytes(store.read(onnx_key(choice.backbone)))
    sha256 = digest_file(backbone)
    if sha256 != manifest.backbone.sha256:
        raise DataError(
            f"the backbone {manifest.backbone.name} in the store must have the SHA-256 {manifest.backbone.sha256}; got "
            f"{sha256}. Remove {onnx_key(choice.backbone)} from {store.uri} and run the pipeline again."
        )
    for skill, (champion, _) in choice.heads.items():
        (folder / head_file(skill)).write_bytes(head_bytes(store, skill, champion))
    (folder / MANIFEST).write_text(manifest.to_json(), "utf-8")
    return manifest


def require_heads(store: Store, champions: Mapping[str, Champion]) -> tuple[dict[str, Champion], dict[str, str]]:
    """The champions whose head is in the store, and why each of the others is not usable."""
    usable: dict[str, Champion] = {}
    lost: dict[str, str] = {}
    for skill, champion in champions.items():
        try:
            head_manifest(store, champion)
        except NotFoundError:
            lost[skill] = (
                f"its champion, version {champion.version}, is registered but its head {champion.head_digest[:12]} "
                f"is not in the store {store.uri}. Train it again: `coachworks run --from train`."
            )
        else:
            usable[skill] = champion
    return usable, lost
