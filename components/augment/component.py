"""The KFP face of augment."""

from kfp import dsl

from components import container_images


@dsl.component(base_image=container_images.STEPS, install_kfp_package=False)
def augment(
    fleet: str,
    validate: str,
    metrics: dsl.Output[dsl.Metrics],
    page: dsl.Output[dsl.HTML],
    sheet_photos: int = 12,
    sheet_views: int = 5,
) -> str:
    """Choose the augmentation policy and draw a contact sheet of its views.

    Args:
        fleet: The fleet, as JSON.
        validate: Key of the result of validate.
        sheet_photos: Photos on the contact sheet, in [1, 100].
        sheet_views: Views per photo on the contact sheet, in [1, 16].
        metrics: Views and transforms.
        page: The contact sheet.

    Returns:
        Key of the result.
    """
    from coachworks.task import run_task
    from components.augment.dashboard import show

    task = run_task("augment", fleet, validate, sheet_photos=sheet_photos, sheet_views=sheet_views)
    show(task, metrics, page)
    return task.result.key
