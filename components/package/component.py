"""The KFP face of package."""

from kfp import dsl

from components import images


@dsl.component(base_image=images.STEPS, install_kfp_package=False)
def package(fleet: str, register: list[str], build_bento: bool = True) -> str:
    """Put the champions into one bento.

    Args:
        fleet: The fleet, as JSON.
        register: Keys of the results of register, one per lane.
        build_bento: Build the bento; without it there is only the bundle.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task

    return run_task("package", fleet, register, build_bento=build_bento).key
