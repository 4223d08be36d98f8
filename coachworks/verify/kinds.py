"""Kinds of object in a store: how each is checked, what its damage means, and the way out.

Photos, heads, feature shards and parts of the index are compared with their names, and trees with their manifests,
before a kind is asked; see `coachworks.store.contents`. A kind adds what only its format tells.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from coachworks.digests import digest_bytes
from coachworks.errors import DamagedError, NotFoundError
from coachworks.models.backbone import read_spec
from coachworks.models.keys import backbone_spec_key, head_key, head_manifest_key, onnx_key
from coachworks.results import load
from coachworks.store import Store, is_sealed, read_record
from coachworks.wording import pipeline_command

Remedy = Literal["again", "restore", "keep"]  # removed and made again; removed and restored; left to a person
Check = Callable[[Store, str], str | None]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of object or tree.

    Attributes:
        name: Its name, in the singular.
        keys: Regular expression of its keys.
        consequence: Effect of its damage.
        way_out: Sentence for a person, in which `{run}` is the command that runs the pipeline.
        remedy: `again`: a repair removes it, and the pipeline makes it again. `restore`: a repair makes it itself.
            `keep`: only a person can replace it.
        check: Returns in words why the object at a key, whose digest is right or unknown, is damaged, or None.
        sealed: Whether it is JSON with a seal.
        described: Whether `check` compares it with a digest in another object.
        together: Returns further keys that a repair removes with it.
    """

    name: str
    keys: str
    consequence: str
    way_out: str
    remedy: Remedy = "again"
    check: Check | None = None
    sealed: bool = False
    described: bool = False
    together: Callable[[Store, str], Iterable[str]] = lambda store, key: ()

    def problem(self, store: Store, key: str) -> str | None:
        """Return in words why the object at `key` is damaged, or None."""
        try:
            if self.sealed:
                read_record(store, key)
            return self.check(store, key) if self.check else None
        except NotFoundError:  # removed meanwhile
            return None
        except DamagedError as err:
            return err.problem if err.key == key else f"{err.key}: {err.problem}"

    def has_digest(self, store: Store, key: str) -> bool:
        """Return whether the object carries a seal, or its digest is in another object."""
        return self.described or (self.sealed and is_sealed(store.read(key)))

    def advice(self, store: Store) -> str:
        """Return the way out."""
        return self.way_out.format(run=pipeline_command(store.uri))


def _json_problem(store: Store, key: str) -> str | None:
    try:
        json.loads(store.read(key))
    except DamagedError:
        raise
    except ValueError as err:
        return f"it must be JSON; {err}"
    return None


def _backbone_problem(store: Store, key: str) -> str | None:
    return None if store.exists(onnx_key(_stem(key))) else "its ONNX file is missing"


def _onnx_problem(store: Store, key: str) -> str | None:
    digest = _stem(key)
    if not store.exists(backbone_spec_key(digest)):
        return None  # a conversion was killed between the two, or is in progress
    spec = read_spec(store, digest)
    actual = digest_bytes(store.read(key))
    if actual == spec.onnx_sha256:
        return None
    return f"its SHA-256 must begin with {spec.onnx_sha256[:16]}, and begins with {actual[:16]}"


def _head_problem(store: Store, key: str) -> str | None:
    return None if store.exists(head_key(_stem(key))) else "the head that it describes is missing"


def _backbone_files(store: Store, key: str) -> list[str]:
    return [backbone_spec_key(_stem(key)), onnx_key(_stem(key))]


def _head_files(store: Store, key: str) -> list[str]:
    return [head_manifest_key(_stem(key)), head_key(_stem(key))]


def _stem(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]


def _lost_bento(store: Store, key: str) -> str | None:
    """Return why the bento of a result of package is not there."""
    if not key.startswith("results/package/") or not store.exists(f"{key}/bento.json"):
        return None
    path = json.loads(store.read(f"{key}/bento.json"))["path"]
    return None if store.exists(path) else f"its bento {path!r} is missing"


def _packages_of(store: Store, key: str) -> list[str]:
    """Return the results of package that name the bento `key`: without it they are not complete."""
    names = {file.split("/")[2] for file in store.list("results/package")}
    packages = []
    for name in sorted(names):
        try:
            load(store, "package", name)
            if json.loads(store.read(f"results/package/{name}/bento.json"))["path"] == key:
                packages.append(f"results/package/{name}")
        except NotFoundError:  # without a bento
            continue
        except DamagedError:
            packages.append(f"results/package/{name}")
    return packages


_DIGEST = "[0-9a-f]{64}"
KINDS = (
    Kind(
        name="photo",
        keys=r"photos/.+",
        consequence="Steps that read it stop.",
        way_out="{run} takes it in again from its source.",
    ),
    Kind(
        name="index of files",
        keys=r"index/files/.+\.json",
        consequence="ingest stops.",
        way_out="{run} reads the files again.",
        check=_json_problem,
    ),
    Kind(
        name="index of photos",
        keys=r"index/photos/.+\.json",
        consequence="ingest stops.",
        way_out="{run}: its photos then count as taken in on that day.",
        check=_json_problem,
    ),
    Kind(
        name="memory of splits",
        keys=r"splits/[^/]+/[^/]+",
        consequence="split stops.",
        way_out="It is written again from the results of split. Without those, restore it from a backup, or "
        "remove the folder `splits` by hand: photos may then move between train, validation and test.",
        remedy="restore",
    ),
    Kind(
        name="features",
        keys=r"features/.+\.safetensors",
        consequence="Steps that read them compute them again.",
        way_out="{run} computes them again.",
    ),
    Kind(
        name="backbone",
        keys=rf"backbones/{_DIGEST}\.json",
        consequence="embed and package convert the fleet's backbone again; pods do not start.",
        way_out="{run} converts it again.",
        check=_backbone_problem,
        sealed=True,
        together=_backbone_files,
    ),
    Kind(
        name="ONNX file",
        keys=rf"backbones/{_DIGEST}\.onnx",
        consequence="embed and package convert the fleet's backbone again; pods do not start.",
        way_out="{run} converts the backbone again.",
        check=_onnx_problem,
        described=True,
        together=_backbone_files,
    ),
    Kind(
        name="head",
        keys=rf"heads/{_DIGEST}\.safetensors",
        consequence="register writes it again; pods do not start.",
        way_out="{run} writes it again.",
        together=_head_files,
    ),
    Kind(
        name="manifest of a head",
        keys=rf"heads/{_DIGEST}\.json",
        consequence="register writes it again; deploy stops.",
        way_out="{run} writes it again.",
        check=_head_problem,
        sealed=True,
        together=_head_files,
    ),
    Kind(
        name="checkpoint",
        keys=rf"checkpoints/{_DIGEST}/{_DIGEST}\.safetensors",
        consequence="Fine-tuning that was interrupted begins again.",
        way_out="{run} begins it again.",
    ),
    Kind(
        name="result",
        keys=r"results/[^/]+/[^/]+",
        consequence="Steps that read it stop.",
        way_out="{run} makes it again.",
        check=_lost_bento,
    ),
    Kind(
        name="bento",
        keys=r"bentos/[^/]+/[^/]+",
        consequence="It can be neither served nor deployed.",
        way_out="{run} builds it again.",
        together=_packages_of,
    ),
    Kind(
        name="choice of the backbone",
        keys=r"choices/[^/]+/backbone\.json",
        consequence="embed and package stop.",
        way_out="{run} compares the backbones again, and may choose another one.",
        sealed=True,
    ),
    Kind(
        name="record of a run",
        keys=r"runs/[^/]+/(?:run|rejected)\.json|runs/[^/]+/(?:progress|errors|results)/.+\.json",
        consequence="`coachworks status` and `coachworks runs` cannot show the run.",
        way_out="The next {run} is shown again; what this record said is lost.",
        sealed=True,
    ),
    Kind(
        name="link",
        keys=r"latest/.+",
        consequence="Commands of single steps do not find the latest result.",
        way_out="{run} sets it again.",
    ),
    Kind(
        name="identity of the store",
        keys=r"identity",
        consequence="The store's runs on a cluster get another name.",
        way_out="`coachworks submit` chooses a new one.",
    ),
)
# Leases, which expire, and files of this machine and of MLflow: they have no digests of coachworks.
FOREIGN = re.compile(r"run\.lock|leases/.+|runs/[^/]+/(?:(?:run|kfp)\.log|kfp/.+)|mlflow/.+")


def find_kind(key: str) -> Kind | None:
    """Return the kind of the object or tree at `key`, or None for what is not part of a store."""
    return next((kind for kind in KINDS if re.fullmatch(kind.keys, key)), None)
