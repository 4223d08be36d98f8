"""Specification of a backbone: its preprocessing and dimensions, shared by training and serving."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from coachworks.models.keys import backbone_spec_key
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

    def to_json(self) -> dict[str, Any]:
        """Return the specification as JSON values."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "BackboneSpec":
        """Create the specification from the result of `to_json`; further keys are ignored."""
        known = {field.name: document[field.name] for field in fields(cls)}
        return cls(**{**known, "mean": tuple(known["mean"]), "std": tuple(known["std"])})


def read_backbone(store: Store, digest: str) -> BackboneSpec:
    """Read the specification of the converted backbone `digest`; its ONNX file is at `onnx_key(digest)`.

    Raises:
        NotFoundError: the backbone has not been converted into this store.
        DamagedError: its specification is not what was written.
    """
    return BackboneSpec.from_json(read_record(store, backbone_spec_key(digest)))
