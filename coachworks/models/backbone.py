"""Specification of a backbone: its preprocessing and dimensions, shared by training and serving."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from coachworks.digests import digest_file
from coachworks.errors import DamagedError
from coachworks.features import space_of
from coachworks.models.keys import backbone_spec_key, onnx_key
from coachworks.store import Store, read_record

Resampling = Literal["bilinear", "bicubic", "lanczos", "box"]
Fit = Literal["squash", "crop"]


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
        dimensions: Features per photo.
        onnx_sha256: SHA-256 of the ONNX file.
        preprocessing: Version of the preprocessing code that the features were computed with.
        space: Folder of its features in the cache; empty in specifications of earlier versions of coachworks.
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

    @property
    def feature_space(self) -> str:
        """Folder of its features in the cache."""
        return self.space or space_of(self.digest)

    def to_json(self) -> dict[str, Any]:
        """Return the specification as JSON values."""
        document = {**asdict(self), "mean": list(self.mean), "std": list(self.std)}
        return document if self.space else {name: value for name, value in document.items() if name != "space"}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "BackboneSpec":
        """Create the specification from the result of `to_json`; further keys are ignored."""
        known = {field.name: document[field.name] for field in fields(cls) if field.name != "space"}
        space = document.get("space", "")
        return cls(**{**known, "mean": tuple(known["mean"]), "std": tuple(known["std"]), "space": space})


def read_backbone(store: Store, digest: str) -> BackboneSpec:
    """Read the specification of the converted backbone `digest`; its ONNX file is at `onnx_key(digest)`.

    Raises:
        NotFoundError: the backbone has not been converted into this store.
        DamagedError: its specification is not what was written.
    """
    key = backbone_spec_key(digest)
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
    key = onnx_key(spec.digest)
    path = store.fetch(key)
    sha256 = digest_file(path)
    if sha256 != spec.onnx_sha256:
        raise DamagedError(key, store.uri, f"its SHA-256 must be {spec.onnx_sha256}; got {sha256}")
    return path
