"""Specification of a backbone: its preprocessing and dimensions, shared by training and serving."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from coachworks.digests import digest_file, digest_json
from coachworks.errors import DamagedError, NotFoundError
from coachworks.feature_groups import ACTIVATION, LAST, ordered
from coachworks.features import space_of
from coachworks.models.keys import backbone_spec_key, onnx_key
from coachworks.store import Store, read_record

Resampling = Literal["bilinear", "bicubic", "lanczos", "box"]
Fit = Literal["squash", "crop"]

# Fields that earlier versions did not write
_LATER = frozenset({"space", "groups", "file_name", "crop", "margin", "upright"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneSpec:
    """A backbone and its preprocessing.

    Attributes:
        name: Name of the backbone in the fleet file.
        digest: Digest of weights, architecture and preprocessing, 64 hexadecimal digits.
        input_px: Height and width of the input.
        mean: Mean per channel (red, green, blue) of values in [0, 1].
        std: Standard deviation per channel.
        resampling: Filter of the resize; all are antialiased.
        fit: `squash` the whole photo into the square, or `crop` the centre of it.
        dimensions: Numbers per photo of the feature group `last`.
        onnx_sha256: SHA-256 of the ONNX file.
        preprocessing: Version of the preprocessing code that the features were computed with.
        space: Folder of its features in the cache; empty in specifications of earlier versions of coachworks.
        groups: Feature groups that the ONNX file gives, with the numbers per photo of each; empty: only `last`.
        file_name: Name of its files in the store, 64 hexadecimal digits; empty: its digest.
        crop: `box`: photos are cropped to the box that belongs to them; empty: they are not.
        margin: Share of the box's width and height that is added on each side.
        upright: `table`: photos are turned as their table says; empty: as their EXIF data says.
    """

    name: str
    digest: str
    input_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resampling: Resampling
    fit: Fit
    dimensions: int
    onnx_sha256: str
    preprocessing: int
    space: str = ""
    groups: tuple[tuple[str, int], ...] = ()
    file_name: str = ""
    crop: str = ""
    margin: float = 0.0
    upright: str = ""

    @property
    def feature_space(self) -> str:
        """Folder of its features in the cache."""
        return self.space or space_of(self.digest)

    @property
    def group_sizes(self) -> Mapping[str, int]:
        """Numbers per photo of each feature group that the ONNX file gives."""
        return MappingProxyType(dict(self.groups) or {LAST: self.dimensions})

    @property
    def graph(self) -> str:
        """Name of its files in the store."""
        return self.file_name or self.digest

    def to_json(self) -> dict[str, Any]:
        """Return the specification as JSON values; fields that earlier versions lack are left out where empty."""
        document = {**asdict(self), "mean": list(self.mean), "std": list(self.std)}
        document["groups"] = [list(group) for group in self.groups]
        return {name: value for name, value in document.items() if value or name not in _LATER}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "BackboneSpec":
        """Create the specification from the result of `to_json`; further keys are ignored."""
        known = {field.name: document[field.name] for field in fields(cls) if field.name not in _LATER}
        groups = tuple((str(name), int(size)) for name, size in document.get("groups", ()))
        parts = {"mean": tuple(known["mean"]), "std": tuple(known["std"]), "groups": groups}
        later = {name: document.get(name, "") for name in ("space", "file_name", "crop", "upright")}
        return cls(**{**known, **parts, **later, "margin": float(document.get("margin", 0.0))})


def graph_name(digest: str, groups: Iterable[str] | None = (LAST,)) -> str:
    """Return the name of the files of a converted backbone in the store, 64 hexadecimal digits.

    Args:
        digest: Digest of the backbone.
        groups: Feature groups that the ONNX file gives; None: all that the backbone has. The file of `last` alone has
            the backbone's digest as its name.
    """
    if groups is None:
        return digest_json([digest, "all"])
    names = ordered(groups)
    return digest if names == (LAST,) else digest_json([digest, list(names)])


def whole_graph_name(digest: str, groups: Iterable[str]) -> str:
    """Return the name of the graph that all with these feature groups are cut out of.

    It gives all groups of the backbone, and the activation at its cut only if that is among `groups`.
    """
    return digest_json([digest, "all", ACTIVATION]) if ACTIVATION in set(groups) else graph_name(digest, None)


def read_backbone(store: Store, digest: str, groups: Iterable[str] = (LAST,)) -> BackboneSpec:
    """Read the specification of the converted backbone `digest` whose ONNX file gives these feature groups.

    Where there is none with exactly these groups, it is that with all groups.

    Raises:
        NotFoundError: the backbone has not been converted into this store, or not with these groups.
        DamagedError: its specification is not what was written.
    """
    names = ordered(groups)
    try:
        return read_spec(store, graph_name(digest, names))
    except NotFoundError:
        whole = read_spec(store, whole_graph_name(digest, names))
        if not set(names) <= set(whole.group_sizes):
            raise
        return whole


def read_spec(store: Store, name: str) -> BackboneSpec:
    """Read a specification by the name of its files; the ONNX file beside it is at `onnx_key(name)`.

    Raises:
        NotFoundError: the store does not hold it.
        DamagedError: it is not what was written.
    """
    key = backbone_spec_key(name)
    try:
        return BackboneSpec.from_json(read_record(store, key))
    except (KeyError, TypeError) as err:
        raise DamagedError(key, store.uri, f"it must be the specification of a backbone; {err!r}") from err


def fetch_onnx(store: Store, spec: BackboneSpec) -> Path:
    """Return a local path of a backbone's ONNX file, compared with its digest.

    Raises:
        NotFoundError: the store does not hold it.
        DamagedError: it is not what was written.
    """
    key = onnx_key(spec.graph)
    path = store.fetch(key)
    sha256 = digest_file(path)
    if sha256 != spec.onnx_sha256:
        raise DamagedError(key, store.uri, f"its SHA-256 must be {spec.onnx_sha256}; got {sha256}")
    return path
