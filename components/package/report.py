"""The report of package."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class PackagedSkill:
    """A skill in the bundle.

    Attributes:
        version: Version of its registered model.
        head_digest: SHA-256 of its head's file.
        kind: Kind of the head, such as `linear`.
    """

    version: str
    head_digest: str
    kind: str


@dataclass(frozen=True)
class PackageReport:
    """The content of the bundle.

    Attributes:
        bento: The bento's tag, or None where none was built.
        skills: The skills in the bundle.
        left_out: Skills of the fleet that are not in it, each with the reason.
        backbone: Name of the backbone; None where no skill has a champion.
        bytes: Size of the bundle, in bytes.
    """

    STEP: ClassVar[str] = "package"

    bento: str | None
    skills: Mapping[str, PackagedSkill]
    left_out: Mapping[str, str]
    backbone: str | None
    bytes: int
