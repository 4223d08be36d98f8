"""`coachworks probe` as a library function: backbones compared on a sample of the fleet's own photos."""

from collections.abc import Sequence
from typing import Any

from coachworks.context import Context, open_context
from coachworks.fleet.model import Fleet
from coachworks.result import Result
from components.embed.backbones import find_backbone
from components.embed.probing.choosing import record_choice
from components.embed.probing.comparison import ProbeConfig, compare
from components.embed.probing.report import ProbeReport


def probe(
    fleet: Fleet,
    backbones: Sequence[str],
    *,
    choose: bool = False,
    config: ProbeConfig | None = None,
    context: Context | None = None,
) -> ProbeReport:
    """Compare backbones on a sample of the fleet's training and validation photos.

    The steps up to validate are run first if they have to be.

    Args:
        fleet: The fleet, located.
        backbones: As in the fleet file; one that stands there twice is compared once.
        choose: Record the recommendation, which `backbone: auto` takes from then on.
        config: Settings; None for the defaults.
        context: The surroundings; None opens the fleet's own store.

    Raises:
        InvalidConfigError: there is no such backbone, or it is not usable.
        DataError: the photos bear no comparison.
    """
    context = context or open_context(fleet)
    for name in backbones:
        find_backbone(name)  # before any work
    report = compare(fleet, _validated(fleet, context), backbones, config=config, context=context)
    if choose:
        record_choice(context.store, fleet, report)
    return report


def _validated(fleet: Fleet, context: Context) -> Result[Any]:
    """Return the result of validate, after running the steps up to there where they have to be."""
    from components.ingest.step import ingest
    from components.split.step import split
    from components.validate.step import validate

    ingested = ingest(fleet, context=context)
    return validate(fleet, split(fleet, ingested.key, context=context).key, context=context)
