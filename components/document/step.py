"""The library face of document."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.code_digest import code_digest
from coachworks.context import ALONE, Context
from coachworks.cpu_limit import usable_cores
from coachworks.fleet.model import Fleet
from coachworks.results import Result, load, produce
from coachworks.store import Store, open_store
from components.document.config import DocumentConfig
from components.document.report import DocumentFiles, DocumentReport

if TYPE_CHECKING:
    import typst

    from components.document.content import Document

FLEET = "fleet"
HOME = "index"
_SUMMARY = "summary.md"
_LATEX_TIMEOUT_S = 60  # a document takes a second; beyond this its source is at fault


def document(fleet: Fleet, package: str, *, config: DocumentConfig | None = None, context: Context = ALONE) -> Result:
    """Write one page per skill and one for the fleet, as HTML, PDF and LaTeX, from the run's own records.

    Args:
        fleet: The fleet, located.
        package: Key of the result of package.
        config: Settings; None takes the defaults.
        context: Progress and run.

    Returns:
        The result: `index.html` and `index.pdf` for the fleet, `<skill>.html`, `.pdf` and `.tex` for each skill, the
        pictures under `pictures/`, and `summary.md`.

    Raises:
        NotFoundError: there is no such result of package, or pdflatex is asked for and is not there.
    """
    from components.document.typst_pdf import choose_engine

    config = config or DocumentConfig()
    store = open_store(fleet.spec.store)
    engine = choose_engine(config.pdf_engine)
    upstream = load(store, "package", package)
    inputs = {
        "package": package,
        "fleet": fleet.name,
        "skills": {name: _described(fleet, name) for name in fleet.spec.skills},
        "examples": config.examples,
        "pdf_engine": engine,
    }
    build = partial(_write, store, fleet, upstream, config, engine, context)
    return produce(store, "document", inputs, build, context=context, code=code_digest(__name__))


def _described(fleet: Fleet, name: str) -> dict[str, Any]:
    skill = fleet.skill(name)
    return {
        "question": skill.question,
        "labels": skill.labels,
        "unsure": skill.unsure,
        "similar": skill.similar,
        "tier": skill.tier,
    }


def _write(
    store: Store, fleet: Fleet, package: Result, config: DocumentConfig, engine: str, context: Context, folder: Path
) -> DocumentReport:
    from components.document.conclusions import status
    from components.document.fleet_page import fleet_document, fleet_verdict, skill_table
    from components.document.pictures import Pictures
    from components.document.rendering import markdown
    from components.document.run_records import read_records
    from components.document.skill_page import skill_document
    from components.document.typst_pdf import typst_fonts

    record, skills = read_records(store, fleet, package)
    fonts = typst_fonts()
    publish = partial(_publish, folder, config, engine, fonts, context)

    def of_fleet() -> DocumentFiles:
        page = fleet_document(record, skills, Pictures(folder, HOME, store), HOME)
        answer = fleet_verdict(record, skills)
        text = f"{answer.title}. {answer.text}"
        (folder / _SUMMARY).write_text(markdown(page.title, text, skill_table(skills)), "utf-8")
        return publish(page)

    def of_skill(index: int) -> DocumentFiles:
        skill = skills[index]
        return publish(skill_document(skill, Pictures(folder, skill.name, store), HOME, config.examples))

    jobs: dict[str, Callable[[], DocumentFiles]] = {FLEET: of_fleet}
    for index, skill in enumerate(skills):
        jobs[skill.name] = partial(of_skill, index)
    with (
        context.progress.task("document", total=len(jobs), unit="documents") as task,
        ThreadPoolExecutor(usable_cores()) as pool,
    ):
        futures = {name: pool.submit(job) for name, job in jobs.items()}
        documents = {}
        for name, future in futures.items():
            documents[name] = future.result()
            task.advance()
    return DocumentReport(
        documents=documents,
        pdf_engine=engine,
        statuses={skill.name: status(skill).value for skill in skills},
        summary=_SUMMARY,
    )


def _publish(
    folder: Path, config: DocumentConfig, engine: str, fonts: "typst.Fonts", context: Context, page: "Document"
) -> DocumentFiles:
    from components.document import rendering, typst_pdf

    stem = page.stem
    (folder / f"{stem}.html").write_text(rendering.html(page, folder), "utf-8")
    (folder / f"{stem}.tex").write_text(rendering.latex(page), "utf-8")
    used = engine
    if engine == typst_pdf.PDFLATEX and not rendering.latex_sets_all(page):
        used = typst_pdf.TYPST
        context.progress.note(f"{stem}.pdf holds characters that pdflatex has no type for: made with typst")
    if used == typst_pdf.PDFLATEX:
        try:
            typst_pdf.run_pdflatex(folder, stem, timeout_s=_LATEX_TIMEOUT_S, timestamp_s=page.timestamp_s)
        except typst_pdf.PdfError as err:
            used = typst_pdf.TYPST
            context.progress.note(f"{str(err).splitlines()[0]} Made with typst instead; see {stem}.log")
    if used == typst_pdf.TYPST:
        typst_pdf.run_typst(rendering.typst(page), folder, stem, fonts=fonts, timestamp_s=page.timestamp_s)
    return DocumentFiles(html=f"{stem}.html", pdf=f"{stem}.pdf", tex=f"{stem}.tex", pdf_engine=used)
