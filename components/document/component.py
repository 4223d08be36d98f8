"""The KFP face of document."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def document(
    fleet: str,
    package: str,
    summary: dsl.Output[dsl.Markdown],
    pdf_engine: str = "auto",
    examples: int = 6,
    latex_timeout_s: int = 60,
    workers: int = 0,
) -> str:
    """Write one page per skill and one for the fleet: HTML, PDF and LaTeX.

    Args:
        fleet: The fleet, as JSON.
        package: Key of the result of package.
        summary: The table of all skills, for the dashboard.
        pdf_engine: What makes the PDF: auto, pdflatex or typst.
        examples: Photos answered right, and as many answered wrong, shown per skill.
        latex_timeout_s: Longest time that pdflatex may take per document, in seconds.
        workers: Documents written side by side; 0 means one per core.

    Returns:
        Key of the result.
    """
    import shutil

    from coachworks.context import step_context
    from coachworks.fleet.model import Fleet
    from coachworks.store import open_store
    from components.document.config import DocumentConfig
    from components.document.step import document as step

    located = Fleet.from_json(fleet)
    config = DocumentConfig(pdf_engine=pdf_engine, examples=examples, latex_timeout_s=latex_timeout_s, workers=workers)
    with step_context(open_store(located.spec.store), "document") as context:
        result = step(located, package, config=config, context=context)
    shutil.copyfile(result.path / result.report["summary"], summary.path)
    return result.key
