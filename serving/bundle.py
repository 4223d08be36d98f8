"""Loading a bundle: every file is compared with its digest in the manifest before it is used."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from coachworks.digests import digest_file
from coachworks.errors import DataError
from coachworks.feature_groups import total
from coachworks.models.backbone import BackboneSpec
from coachworks.models.head import Head, load_head
from coachworks.models.manifest import BACKBONE, PACKAGE_AGAIN, Manifest, PackagedHead, head_file, read_manifest
from coachworks.wording import did_you_mean
from serving.errors import UnknownSkillError


@dataclass(frozen=True)
class BundledSkill:
    """One skill of a bundle: its entry in the manifest and its head."""

    entry: PackagedHead
    head: Head


@dataclass(frozen=True)
class Bundle:
    """The packaged models of a fleet.

    Attributes:
        fleet: Name of the fleet.
        digest: Digest of the whole bundle, 12 hexadecimal digits.
        backbone: Specification of the backbone: preprocessing and dimensions.
        backbone_path: The backbone's ONNX file.
        skills: The skills by name, in the fleet's order.
    """

    fleet: str
    digest: str
    backbone: BackboneSpec
    backbone_path: Path
    skills: Mapping[str, BundledSkill]

    def pick(self, names: Sequence[str] | None, *, only: str | None = None) -> tuple[str, ...]:
        """Return the skills called `names`, each once, in that order.

        Args:
            names: Names of skills; None: all.
            only: The only skill that may be selected; None: any.

        Raises:
            UnknownSkillError: the bundle does not hold one of them, or it is not the skill in `only`.
        """
        known = tuple(self.skills) if only is None else (only,)
        if names is None:
            return known
        for name in names:
            if name not in known:
                hint = did_you_mean(name[:80], known)
                raise UnknownSkillError(f"skills must be among {', '.join(known)}; got {name[:80]!r}.{hint}")
        return tuple(dict.fromkeys(names))


def load_bundle(folder: Path, manifest: Manifest | None = None) -> Bundle:
    """Load the bundle in `folder`.

    Args:
        folder: Folder with the files of the bundle.
        manifest: The expected models, from the pod's configuration; the folder may hold further files. None: read the
            manifest in the folder.

    Raises:
        DataError: a file is missing, was changed, or has a version that this version of coachworks does not read.
    """
    again = PACKAGE_AGAIN if manifest is None else _replace_pod()
    manifest = manifest or read_manifest(folder)
    spec = BackboneSpec.from_json(manifest.backbone.spec())
    backbone_path = _verified(folder, BACKBONE, manifest.backbone.sha256, again)
    skills = {}
    for name, entry in manifest.skills.items():
        head = load_head(_verified(folder, head_file(name), entry.head_sha256, again))
        if list(head.labels) != entry.labels:
            raise DataError(
                f"labels of the head of {name!r} must be those of the manifest, {entry.labels}; "
                f"got {list(head.labels)}. {again}"
            )
        if head.backbone_digest != manifest.backbone.digest or head.dimensions != _dimensions_for(spec, head):
            raise DataError(
                f"the head of {name!r} must read features of the backbone {manifest.backbone.digest[:12]}; "
                f"got {head.backbone_digest[:12]}. {again}"
            )
        skills[name] = BundledSkill(entry=entry, head=head)
    return Bundle(
        fleet=manifest.fleet,
        digest=manifest.digest()[:12],
        backbone=spec,
        backbone_path=backbone_path,
        skills=skills,
    )


def _dimensions_for(spec: BackboneSpec, head: Head) -> int:
    """Return how many numbers per photo the backbone gives of the head's groups; 0 if it lacks one of them."""
    missing = set(head.groups) - set(spec.group_sizes)
    return 0 if missing else total(spec.group_sizes, head.groups)


def _replace_pod() -> str:
    """Return the way out in a pod, whose configuration names its models; a pod's host name is its own."""
    return (
        f"Replace the pod, which fetches its models anew: `kubectl delete pod {platform.node()}`. Where the image "
        "holds the models, `coachworks deploy --write-image` and `--image` write and deploy another one."
    )


def _verified(folder: Path, name: str, sha256: str, again: str) -> Path:
    path = folder / name
    try:
        actual = digest_file(path)
    except OSError as err:
        raise DataError(f"the bundle must hold {name}; {folder} does not. {again}") from err
    if actual != sha256:
        raise DataError(
            f"{name} of the bundle must have the SHA-256 {sha256}; got {actual}: it is damaged or was changed. {again}"
        )
    return path
