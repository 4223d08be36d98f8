"""Registered models of a fleet: their names, versions with tags, and aliases."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coachworks.fleet.model import Fleet
from coachworks.tracking.client import TrackingClient
from coachworks.tracking.pages import CHAMPION

_PAGE = 1000  # the most that MLflow allows for registered models


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        number: Version number, as a string.
        tags: Tags.
        run_id: ID of the run that created it.
    """

    number: str
    tags: Mapping[str, str]
    run_id: str | None = None


@dataclass(frozen=True)
class Model:
    """A skill's registered model.

    Attributes:
        name: Name of the model, `<fleet>.<skill>`.
        versions: Versions by number, oldest first.
        aliases: Version number by alias.
    """

    name: str
    versions: Mapping[str, Version]
    aliases: Mapping[str, str]

    @property
    def skill(self) -> str:
        """Name of the skill."""
        return self.name.partition(".")[2]

    @property
    def champion(self) -> str | None:
        """Number of the champion's version."""
        return self.aliases.get(CHAMPION)


def model_name(fleet: Fleet, skill: str) -> str:
    """Return the name of a skill's registered model."""
    return f"{fleet.name}.{skill}"


def earlier_model_name(fleet: Fleet, skill: str) -> str | None:
    """Return the name of a renamed skill's registered model until register renames it; None: it has had no other."""
    was = fleet.spec.skills[skill].was
    return None if was is None else model_name(fleet, was)


def read_skill_model(client: TrackingClient, fleet: Fleet, skill: str) -> Model | None:
    """Return a skill's registered model, under its earlier name where register has not renamed it yet."""
    earlier = earlier_model_name(fleet, skill)
    model = read_model(client, model_name(fleet, skill))
    return read_model(client, earlier) if model is None and earlier is not None else model


def read_skill_models(client: TrackingClient, fleet: Fleet) -> dict[str, Model]:
    """Return all registered models of a fleet by skill, those of renamed skills under the present name."""
    models = {model.skill: model for model in read_models(client, fleet)}
    earlier = {name: models.pop(was) for was, name in fleet.renamed.items() if was in models}
    return {**earlier, **models}


def read_model(client: TrackingClient, name: str) -> Model | None:
    """Return a registered model, or None if there is no model of that name."""
    return next(iter(_read(client, f"name = '{name}'")), None)


def read_models(client: TrackingClient, fleet: Fleet) -> list[Model]:
    """Return all registered models of a fleet, including those of skills that are no longer in its file.

    One paged search for models and one for versions, however many skills there are.
    """
    return [model for model in _read(client, f"name LIKE '{fleet.name}.%'") if model.name.startswith(f"{fleet.name}.")]


def _read(client: TrackingClient, condition: str) -> list[Model]:
    # Aliases first: the versions that are read afterwards then include every version that has an alias.
    aliases = {
        model.name: {alias: str(number) for alias, number in dict(model.aliases).items()}
        for model in _pages(client.search_registered_models, condition)
    }
    versions: dict[str, dict[str, Version]] = {name: {} for name in aliases}
    known = (version for version in _pages(client.search_model_versions, condition) if version.name in versions)
    for version in sorted(known, key=lambda version: int(version.version)):
        number = str(version.version)
        versions[version.name][number] = Version(number, dict(version.tags), version.run_id or None)
    return [Model(name, versions[name], aliases[name]) for name in aliases]


def _pages(search: Callable[..., Any], condition: str) -> Iterator[Any]:
    token = None
    while True:
        page = search(condition, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
