"""The record of the backbone that a fleet with `backbone: auto` has chosen."""

from dataclasses import dataclass

from coachworks.errors import DamagedError, NotFoundError
from coachworks.fleet.model import AUTO_BACKBONE, Fleet
from coachworks.store import Store, read_record
from coachworks.wording import pipeline_command


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A recorded choice.

    Attributes:
        backbone: The backbone, as the fleet file would name it.
        why: The reason, in words.
        chosen_at: Time of the choice, ISO 8601, UTC; empty where the fleet file names the backbone.
    """

    backbone: str
    why: str
    chosen_at: str


def choice_key(fleet: str) -> str:
    """Return the key of a fleet's choice: its comparison, with all backbones that it beat.

    >>> choice_key("showroom")
    'choices/showroom/backbone.json'
    """
    return f"choices/{fleet}/backbone.json"


def named_backbone(store: Store, fleet: Fleet) -> str:
    """Return the backbone of a fleet: that of its file, or that which was chosen.

    Raises:
        NotFoundError: the file says `auto`, and none has been chosen yet.
        DamagedError: the record of the choice is not what was written.
    """
    if fleet.spec.backbone != AUTO_BACKBONE:
        return fleet.spec.backbone
    choice = read_choice(store, fleet)
    if choice is None:
        raise NotFoundError(
            f"`backbone: {AUTO_BACKBONE}` must have chosen one: the store {store.uri} holds no choice of the fleet "
            f"{fleet.name}. {pipeline_command(store.uri)} chooses, and so does `coachworks probe --choose`."
        )
    return choice.backbone


def read_choice(store: Store, fleet: Fleet) -> Choice | None:
    """Read the choice that is recorded for a fleet; None if there is none.

    Raises:
        DamagedError: it is not what was written.
    """
    key = choice_key(fleet.name)
    try:
        document = read_record(store, key)
        return Choice(
            backbone=str(document["recommended"]), why=str(document["why"]), chosen_at=str(document["chosen_at"])
        )
    except NotFoundError:
        return None
    except KeyError as err:
        raise DamagedError(key, store.uri, f"it must be the record of a choice; it lacks {err}") from err
