"""Report of document."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFiles:
    """The files of one document, relative to the result's folder."""

    html: str
    pdf: str
    tex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReport:
    """The written documents.

    Attributes:
        documents: The files by skill; those of the whole fleet under "fleet".
        statuses: Status by skill, one of `components.document.conclusions.Status`.
        summary: File with the fleet's table in Markdown.
    """

    STEP: ClassVar[str] = "document"

    documents: Mapping[str, DocumentFiles]
    statuses: Mapping[str, str]
    summary: str
