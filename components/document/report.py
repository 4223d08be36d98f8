"""What document reports."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFiles:
    """The files of one document, relative to the result's folder."""

    html: str
    pdf: str
    tex: str
    pdf_engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReport:
    """What was written.

    Attributes:
        documents: The files by skill; those of the whole fleet under "fleet".
        pdf_engine: What the PDFs were made with: pdflatex or typst. A document that pdflatex could not set is made
            with typst all the same: its own `pdf_engine` says so.
        statuses: Status by skill, one of `components.document.conclusions.Status`.
        summary: File with the fleet's table in Markdown.
    """

    documents: Mapping[str, DocumentFiles]
    pdf_engine: str
    statuses: Mapping[str, str]
    summary: str
