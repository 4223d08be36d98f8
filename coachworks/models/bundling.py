"""Content of a bundle, and the bundle: the backbone once, a head per skill, and the manifest with their digests."""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.feature_groups import LAST, ordered
from coachworks.fleet.model import Fleet
from coachworks.models.backbone import BackboneSpec, fetch_onnx, read_backbone
from coachworks.models.champions import HeadVersion, head_manifest
from coachworks.models.keys import head_key
from coachworks.models.manifest import BACKBONE, MANIFEST, Manifest, PackagedBackbone, PackagedHead, head_file
from coachworks.store import Store
from coachworks.wording import pipeline_command


@dataclass(frozen=True)
class StoredHead:
    """A version whose head is in the store.

    Attributes:
        version: The version.
        manifest: JSON that register wrote beside the head: backbone, labels, metrics, provenance.
    """

    version: HeadVersion
    manifest: Mapping[str, Any]

    @property
    def backbone_digest(self) -> str:
        """Digest of the backbone that the head reads."""
        return str(self.manifest["backbone_digest"])

    @property
    def groups(self) -> tuple[str, ...]:
        """Feature groups that the head reads."""
        return tuple(self.manifest.get("groups") or (LAST,))

    @property
    def created_at(self) -> str:
        """Time of its registration, ISO 8601."""
        return str(self.manifest["created_at"])


@dataclass(frozen=True)
class BundleContent:
    """Heads that share a backbone.

    Attributes:
        backbone: Digest of the backbone that all of the heads read.
        heads: Each skill's head.
        left_out: Skills whose head reads another backbone, each with the reason.
    """

    backbone: str
    heads: Mapping[str, StoredHead]
    left_out: Mapping[str, str]

    @property
    def groups(self) -> tuple[str, ...]:
        """Feature groups that one of the heads reads."""
        return ordered(group for head in self.heads.values() for group in head.groups)


def read_heads(store: Store, versions: Mapping[str, HeadVersion]) -> tuple[dict[str, StoredHead], dict[str, str]]:
    """Read the manifest of each version's head, once.

    Returns:
        The heads by skill, and the reason why each of the other skills has none: its head is not in the store.
    """
    heads: dict[str, StoredHead] = {}
    missing: dict[str, str] = {}
    for skill, version in versions.items():
        try:
            heads[skill] = StoredHead(version, head_manifest(store, version))
        except NotFoundError:
            missing[skill] = (
                f"its champion, version {version.version}, is registered but its head {version.head_digest[:12]} "
                f"is not in the store {store.uri}. {pipeline_command(store.uri)} writes it again."
            )
    return heads, missing


def choose_content(heads: Mapping[str, StoredHead]) -> BundleContent:
    """Choose the heads that share one backbone pass: those of the backbone that most of them read, else the newest.

    Args:
        heads: Heads by skill; at least one.
    """
    votes = Counter(head.backbone_digest for head in heads.values())
    newest = {head.backbone_digest: head.created_at for head in _oldest_first(heads)}
    backbone = max(votes, key=lambda digest: (votes[digest], newest[digest]))
    return BundleContent(
        backbone=backbone,
        heads={skill: head for skill, head in heads.items() if head.backbone_digest == backbone},
        left_out={
            skill: f"its champion, version {head.version.version}, reads another backbone than most: "
            f"{head.manifest.get('backbone') or head.backbone_digest[:12]}. Train it on the fleet's backbone again."
            for skill, head in heads.items()
            if head.backbone_digest != backbone
        },
    )


def _oldest_first(heads: Mapping[str, StoredHead]) -> list[StoredHead]:
    return sorted(heads.values(), key=lambda head: head.created_at)


def describe(store: Store, fleet: Fleet, content: BundleContent) -> Manifest:
    """Return the manifest of a bundle: every version and digest. Of the bundle's files none is read.

    Raises:
        NotFoundError: the backbone is not in the store.
    """
    spec = read_backbone(store, content.backbone, content.groups)
    skills = {
        skill: PackagedHead(
            question=fleet.skill(skill).question,
            labels=list(head.manifest["labels"]),
            kind=head.manifest["kind"],
            version=head.version.version,
            head_sha256=head.version.head_digest,
            metrics=dict(head.manifest.get("metrics") or {}),
            provenance={
                **(head.manifest.get("provenance") or {}),
                **{name: head.manifest.get(name) for name in ("data_digest", "evaluate", "code_version", "created_at")},
            },
        )
        for skill, head in content.heads.items()
    }
    return Manifest(
        fleet=fleet.name,
        created_at=_oldest_first(content.heads)[-1].created_at,
        backbone=PackagedBackbone(**spec.to_json(), sha256=spec.onnx_sha256),
        skills=skills,
    )


def write_bundle(store: Store, fleet: Fleet, content: BundleContent, folder: Path) -> Manifest:
    """Write a bundle into the new folder `folder`.

    Raises:
        DamagedError: a head or the backbone in the store is not what was written.
        NotFoundError: one of them is not in the store.
    """
    manifest = describe(store, fleet, content)
    (folder / "heads").mkdir(parents=True)
    shutil.copyfile(fetch_onnx(store, BackboneSpec.from_json(manifest.backbone.spec())), folder / BACKBONE)
    for skill, head in content.heads.items():
        (folder / head_file(skill)).write_bytes(store.read(head_key(head.version.head_digest)))
    (folder / MANIFEST).write_text(manifest.to_json(), "utf-8")
    return manifest
