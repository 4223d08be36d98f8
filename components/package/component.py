"""The KFP face of package."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def package(fleet: str, register: list[str], metrics: dsl.Output[dsl.Metrics], build_bento: bool = True) -> str:
    """Put the champions into one bento.

    Args:
        fleet: The fleet, as JSON.
        register: Keys of the results of register, one per lane.
        metrics: Numbers of packaged skills and of those left out, and the bundle's size.
        build_bento: Build the bento in addition to the bundle.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.dashboard import show_numbers
    from components.package.dashboard import numbers

    task = run_task("package", fleet, register, build_bento=build_bento)
    show_numbers(task.result, numbers, metrics)
    return task.result.key
