"""The bundle's manifest: its models, their provenance and the digest of every file.

A bundle is a folder with `manifest.json`, `backbone.onnx` and `heads/<skill>.safetensors`. All are data: loading them
executes no code.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from coachworks.digests import digest_json
from coachworks.errors import DataError
from coachworks.fleet.field_types import Name
from coachworks.wording import first_problem

MANIFEST = "manifest.json"
BACKBONE = "backbone.onnx"
PACKAGE_AGAIN = (
    "Package the fleet again: `coachworks run --from package`, or with a store in a bucket "
    "`coachworks submit --from package`."
)


def head_file(skill: str) -> str:
    """Return the path of a skill's head in the bundle."""
    return f"heads/{skill}.safetensors"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PackagedBackbone(_Part):
    """The shared backbone: its specification, preprocessing included, and the digest of its file."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str
    digest: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    def spec(self) -> dict[str, Any]:
        """Return the specification as it was stored beside the backbone."""
        return self.model_dump(exclude={"sha256"})


class PackagedHead(_Part):
    """The champion of a skill."""

    question: str | None = None
    labels: list[str] = Field(min_length=2)
    threshold: float | None = Field(None, ge=0, le=1)
    kind: str
    version: str
    head_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    metrics: dict[str, Any] = {}
    provenance: dict[str, Any] = {}


class Manifest(_Part):
    """Content of `manifest.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    api_version: Literal["coachworks.dev/v1"] = "coachworks.dev/v1"
    kind: Literal["Bundle"] = "Bundle"
    fleet: str
    created_at: str = Field(alias="created_at", description="Time at which the newest head was registered, ISO 8601.")
    backbone: PackagedBackbone
    skills: dict[Name, PackagedHead] = Field(min_length=1)

    def files(self) -> dict[str, str]:
        """Return the SHA-256 of each model's file, by its path in the bundle."""
        heads = {head_file(skill): head.head_sha256 for skill, head in self.skills.items()}
        return {BACKBONE: self.backbone.sha256, **heads}

    def to_json(self) -> str:
        """Return the manifest as the text of its file."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"

    def digest(self) -> str:
        """Return the digest of the manifest, and so of all files whose digests it holds: 64 hexadecimal digits."""
        return digest_json(self.model_dump(by_alias=True))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of the bundle in `folder`.

    Raises:
        DataError: the file is missing, malformed or of another version.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as err:
        raise DataError(f"the bundle must hold {MANIFEST}; {folder} does not. {PACKAGE_AGAIN}") from err
    except ValidationError as err:
        raise DataError(
            f"{path.name} of the bundle {folder} cannot be read: {first_problem(err)}. "
            f"This version of coachworks reads bundles of coachworks.dev/v1. {PACKAGE_AGAIN}"
        ) from err
