"""Registered models of a fleet: their names, versions with tags, and aliases."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from coachworks.fleet.model import Fleet
from coachworks.tracking.pages import CHAMPION

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE = 200


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        number: Its number, as a string.
        tags: Its tags.
        run_id: The run it comes from.
    """

    number: str
    tags: Mapping[str, str]
    run_id: str | None = None


@dataclass(frozen=True)
class Model:
    """A skill's registered model.

    Attributes:
        name: Its name, `<fleet>.<skill>`.
        versions: Its versions by number, oldest first.
        aliases: alias -> number of a version.
    """

    name: str
    versions: Mapping[str, Version]
    aliases: Mapping[str, str]

    @property
    def skill(self) -> str:
        """The skill that it answers."""
        return self.name.partition(".")[2]

    @property
    def champion(self) -> str | None:
        """Number of the version that is served."""
        return self.aliases.get(CHAMPION)


def model_name(fleet: Fleet, skill: str) -> str:
    """Name of a skill's registered model."""
    return f"{fleet.name}.{skill}"


def read_model(client: "MlflowClient", name: str) -> Model | None:
    """A registered model; None where there is none of that name."""
    return next(iter(_read(client, f"name = '{name}'")), None)


def read_models(client: "MlflowClient", fleet: Fleet) -> list[Model]:
    """All registered models of a fleet, also of skills that its file no longer names."""
    return [model for model in _read(client, f"name LIKE '{fleet.name}.%'") if model.name.startswith(f"{fleet.name}.")]


def _read(client: "MlflowClient", which: str) -> list[Model]:
    # Aliases first: a version that one of them names is then among the versions that are read after it.
    aliases = {
        model.name: {alias: str(number) for alias, number in dict(model.aliases).items()}
        for model in _pages(client.search_registered_models, which)
    }
    versions: dict[str, dict[str, Version]] = {name: {} for name in aliases}
    found = (version for version in _pages(client.search_model_versions, which) if version.name in versions)
    for version in sorted(found, key=lambda version: int(version.version)):
        number = str(version.version)
        versions[version.name][number] = Version(number, dict(version.tags), version.run_id)
    return [Model(name, versions[name], aliases[name]) for name in aliases]


def _pages(search: Callable[..., Any], which: str) -> Iterator[Any]:
    token = None
    while True:
        page = search(which, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
