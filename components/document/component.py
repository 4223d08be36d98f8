"""The KFP face of document."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def document(
    fleet: str,
    package: str,
    metrics: dsl.Output[dsl.Metrics],
    summary: dsl.Output[dsl.Markdown],
    matrices: dsl.Output[dsl.HTML],
    pdf_engine: str = "auto",
    examples: int = 6,
) -> str:
    """Write one page per skill and one for the fleet: HTML, PDF and LaTeX.

    Args:
        fleet: The fleet, as JSON.
        package: Key of the result of package.
        metrics: Skills by status.
        summary: The table of all skills, and where everything lies.
        matrices: The confusion matrices of all skills, the worst first.
        pdf_engine: What makes the PDF: auto, pdflatex or typst.
        examples: Photos answered right, and as many answered wrong, shown per skill.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.document.dashboard import show

    result = run_task("document", fleet, package, pdf_engine=pdf_engine, examples=examples)
    show(fleet, result, metrics, summary, matrices)
    return result.key
