"""The library face of document."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coachworks.code_digest import code_digest
from coachworks.context import Context, open_context
from coachworks.cpu_limit import usable_cores
from coachworks.fleet.model import Fleet
from coachworks.progress import Progress
from coachworks.result import Result
from coachworks.results import load, produce
from coachworks.store import Store
from coachworks.tracking import tracking_of
from components.document.config import DocumentConfig
from components.document.deployments import Deployments, read_deployments
from components.document.report import DocumentFiles, DocumentReport

if TYPE_CHECKING:
    import typst

    from components.document.content import Document

FLEET = "fleet"
HOME = "index"
_SUMMARY = "summary.md"


def document(
    fleet: Fleet, package: str, *, config: DocumentConfig | None = None, context: Context | None = None
) -> Result[DocumentReport]:
    """Write a document per skill and one for the fleet, as HTML, PDF and LaTeX source, from the results of the run.

    The versions that are deployed are read from MLflow each time: a deployment gives other documents.

    Args:
        fleet: The fleet, with absolute paths.
        package: Key of the result of package.
        config: Settings; None: the defaults.
        context: The surroundings of the task; None opens the fleet's own store and tracking.

    Returns:
        The result: `index.html` and `index.pdf` for the fleet, `<skill>.html`, `.pdf` and `.tex` for each skill, the
        pictures under `pictures/`, and `summary.md`.

    Raises:
        NotFoundError: the store holds no such result of package.
    """
    config = config or DocumentConfig()
    context = context or open_context(fleet, tracking=tracking_of)
    store = context.store
    upstream = load(store, "package", package)
    deployments = read_deployments(fleet, context.tracking, context.progress)
    inputs = {
        "package": package,
        "fleet": fleet.name,
        "skills": {name: _described(fleet, name) for name in fleet.spec.skills},
        "service": fleet.spec.deploy.namespace,
        "deployed": deployments.to_json(),
        "examples": config.examples,
    }
    build = partial(_write, store, fleet, upstream, deployments, config, context.progress)
    return produce(DocumentReport, inputs, build, context=context, code=code_digest(__name__))


def _described(fleet: Fleet, name: str) -> dict[str, Any]:
    skill = fleet.skill(name)
    return {
        "question": skill.question,
        "labels": skill.labels,
        "unsure": skill.unsure,
        "similar": skill.similar,
        "tier": skill.tier,
        "service": [fleet.service_name(name), fleet.serving(name).port],
    }


def _write(
    store: Store,
    fleet: Fleet,
    package: Result[Any],
    deployments: Deployments,
    config: DocumentConfig,
    progress: Progress,
    folder: Path,
) -> DocumentReport:
    from components.document.conclusions import status
    from components.document.fleet_page import fleet_conclusion, fleet_document, skill_table
    from components.document.pictures import Pictures
    from components.document.rendering import markdown
    from components.document.run_records import read_records
    from components.document.skill_page import skill_document
    from components.document.typst_pdf import typst_fonts

    record, skills = read_records(store, fleet, package, deployments)
    fonts = typst_fonts()
    publish = partial(_publish, folder, fonts)

    def of_fleet() -> DocumentFiles:
        page = fleet_document(record, skills, Pictures(folder, HOME, store), HOME)
        conclusion = fleet_conclusion(record, skills)
        text = f"{conclusion.title}. {conclusion.text}"
        (folder / _SUMMARY).write_text(markdown(page.title, text, skill_table(skills)), "utf-8")
        return publish(page)

    def of_skill(index: int) -> DocumentFiles:
        skill = skills[index]
        return publish(skill_document(skill, Pictures(folder, skill.name, store), HOME, config.examples))

    jobs: dict[str, Callable[[], DocumentFiles]] = {FLEET: of_fleet}
    for index, skill in enumerate(skills):
        jobs[skill.name] = partial(of_skill, index)
    with (
        progress.task("document", total=len(jobs), unit="documents") as task,
        ThreadPoolExecutor(usable_cores()) as pool,
    ):
        futures = {name: pool.submit(job) for name, job in jobs.items()}
        documents = {}
        for name, future in futures.items():
            documents[name] = future.result()
            task.advance()
    return DocumentReport(
        documents=documents,
        statuses={skill.name: status(skill).value for skill in skills},
        summary=_SUMMARY,
    )


def _publish(folder: Path, fonts: "typst.Fonts", page: "Document") -> DocumentFiles:
    from components.document import rendering
    from components.document.typst_pdf import write_pdf

    files = DocumentFiles(html=f"{page.stem}.html", pdf=f"{page.stem}.pdf", tex=f"{page.stem}.tex")
    (folder / files.html).write_text(rendering.html(page, folder), "utf-8")
    (folder / files.tex).write_text(rendering.latex(page), "utf-8")
    write_pdf(rendering.typst(page), folder, page.stem, fonts=fonts, timestamp_s=page.timestamp_s)
    return files
