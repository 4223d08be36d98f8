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
    from coachworks.context import step_context
    from coachworks.fleet.model import Fleet
    from coachworks.store import open_store
    from components.package.config import PackageConfig
    from components.package.step import package as step

    located = Fleet.from_json(fleet)
    with step_context(open_store(located.spec.store), "package") as context:
        return step(located, register, config=PackageConfig(build_bento=build_bento), context=context).key
