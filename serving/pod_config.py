"""What a pod is told of its release: a mounted folder with the manifest of its models and how it is spoken to."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coachworks.errors import DataError
from coachworks.fleet.field_types import Name
from coachworks.models.manifest import MANIFEST, Manifest

RELEASE_VARIABLE = "COACHWORKS_RELEASE"
BUNDLE_VARIABLE = "COACHWORKS_BUNDLE"  # the folder that the models are in
PODS = "pods.json"
_WAY_OUT = "The fleet's chart writes it: deploy again, `coachworks deploy`."

Part = TypeVar("Part", bound=BaseModel)


class _Pods(BaseModel):
    """`pods.json`: what holds of all pods of a group and track."""

    model_config = ConfigDict(frozen=True)  # what later releases add is left alone

    group: str = Field(min_length=1)
    track: str = Field(min_length=1)
    ports: dict[Name, Annotated[int, Field(ge=1, le=65535)]] = {}


@dataclass(frozen=True)
class Release:
    """The release that a pod belongs to.

    Attributes:
        manifest: The models that it answers with, by digest.
        group: The pods that answer together: `shared`, or a skill that has pods of its own.
        track: `stable` or `canary`.
        ports: The skill that each further port answers.
    """

    manifest: Manifest
    group: str
    track: str
    ports: Mapping[int, str]


def release_of(environ: Mapping[str, str] = os.environ) -> Release | None:
    """The release in the folder that COACHWORKS_RELEASE names; None where it is not set: nothing was deployed.

    Raises:
        DataError: the folder does not hold one.
    """
    named = environ.get(RELEASE_VARIABLE)
    return read_release(Path(named)) if named else None


def read_release(folder: Path) -> Release:
    """The release in `folder`.

    Raises:
        DataError: a file is missing or cannot be read, or a port stands for no skill or for several.
    """
    manifest, pods = _read(folder / MANIFEST, Manifest), _read(folder / PODS, _Pods)
    unknown = sorted(set(pods.ports) - set(manifest.skills))
    if unknown:
        raise DataError(
            f"ports in {folder / PODS} must be those of skills in {MANIFEST}, {', '.join(manifest.skills)}; "
            f"got {', '.join(unknown)}. {_WAY_OUT}"
        )
    ports = {port: skill for skill, port in pods.ports.items()}
    if len(ports) < len(pods.ports):
        raise DataError(f"ports in {folder / PODS} must differ from skill to skill; got {dict(pods.ports)}. {_WAY_OUT}")
    return Release(manifest=manifest, group=pods.group, track=pods.track, ports=ports)


def _read(path: Path, kind: type[Part]) -> Part:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as err:
        raise DataError(
            f"the folder that {RELEASE_VARIABLE} names must hold {path.name}; {path} cannot be read: "
            f"{err.strerror}. {_WAY_OUT}"
        ) from err
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its JSON"
        raise DataError(f"{path} of the release cannot be read: {where}: {first['msg']}. {_WAY_OUT}") from err
