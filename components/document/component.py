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
) -> str:
    """Write one page per skill and one for the fleet: HTML, PDF and LaTeX.

    Args:
        fleet: The fleet, as JSON.
        package: Key of the result of package.
        summary: The table of all skills, for the dashboard.
        pdf_engine: What makes the PDF: auto, pdflatex or typst.
        examples: Photos answered right, and as many answered wrong, shown per skill.

    Returns:
        Key of the result.
    """
    import shutil

    from coachworks.task import run_task

    result = run_task("document", fleet, package, pdf_engine=pdf_engine, examples=examples)
    shutil.copyfile(result.path / result.report["summary"], summary.path)
    return result.key
