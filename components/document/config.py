"""Settings of document."""

from dataclasses import dataclass

from coachworks.errors import InvalidConfigError

_ENGINES = ("auto", "pdflatex", "typst")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentConfig:
    """How the documents are made.

    Attributes:
        pdf_engine: What makes the PDF: auto (pdflatex where it is on PATH, else typst), pdflatex or typst.
        examples: Photos answered right, and as many answered wrong, shown per skill, from 0 to 24.
    """

    pdf_engine: str = "auto"
    examples: int = 6

    def __post_init__(self) -> None:
        if self.pdf_engine not in _ENGINES:
            raise InvalidConfigError(f"pdf_engine must be one of {', '.join(_ENGINES)}; got {self.pdf_engine!r}")
        if not 0 <= self.examples <= 24:
            raise InvalidConfigError(f"examples must be an integer from 0 to 24; got {self.examples!r}")
