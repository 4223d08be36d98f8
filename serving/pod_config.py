"""Configuration of a pod: a folder that the fleet's Helm release mounts, with the models' manifest and the ports."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coachworks.errors import DataError
from coachworks.fleet.field_types import Name
from coachworks.models.manifest import MANIFEST, Manifest
from coachworks.wording import first_problem

RELEASE_VARIABLE = "COACHWORKS_RELEASE"
BUNDLE_VARIABLE = "COACHWORKS_BUNDLE"  # folder with the models
PODS = "pods.json"
_WAY_OUT = "The fleet's chart writes it: deploy again, `coachworks deploy`."

Part = TypeVar("Part", bound=BaseModel)


class _Pods(BaseModel):
    """`pods.json`: settings of all pods of a group and track."""

    model_config = ConfigDict(frozen=True)  # ignores fields that later versions of the chart add

    group: str = Field(min_length=1)
    track: str = Field(min_length=1)
    ports: dict[Name, Annotated[int, Field(ge=1, le=65535)]] = {}


@dataclass(frozen=True)
class PodConfig:
    """Configuration of a pod.

    Attributes:
        manifest: The models, by digest.
        group: Pods that serve the same skills: `shared`, or the name of a skill with pods of its own.
        track: `stable` or `canary`.
        ports: Skill of each skill port.
    """

    manifest: Manifest
    group: str
    track: str
    ports: Mapping[int, str]


def pod_config_of(environ: Mapping[str, str] = os.environ) -> PodConfig | None:
    """Read the configuration in the folder that COACHWORKS_RELEASE names; None if it is not set: not in a pod.

    Raises:
        DataError: as `read_pod_config`.
    """
    folder = environ.get(RELEASE_VARIABLE)
    return read_pod_config(Path(folder)) if folder else None


def read_pod_config(folder: Path) -> PodConfig:
    """Read the configuration in `folder`.

    Raises:
        DataError: a file is missing or malformed, or a port belongs to no skill or to several.
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
    return PodConfig(manifest=manifest, group=pods.group, track=pods.track, ports=ports)


def _read(path: Path, kind: type[Part]) -> Part:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as err:
        raise DataError(
            f"the folder that {RELEASE_VARIABLE} names must hold {path.name}; {path} cannot be read: "
            f"{err.strerror}. {_WAY_OUT}"
        ) from err
    except ValidationError as err:
        raise DataError(f"{path} of the pod's configuration cannot be read: {first_problem(err)}. {_WAY_OUT}") from err
