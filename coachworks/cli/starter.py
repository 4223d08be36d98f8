"""The starter: a commented `fleet.yaml` for a folder of photos, valid as it stands."""

import re
from dataclasses import dataclass
from pathlib import Path

from coachworks.errors import DataError
from coachworks.fleet.reader import examine
from coachworks.fleet.yaml_tree import resolve
from components.ingest.survey import SkillFound, Survey, fleet_name

_FEW = 10  # a label with fewer photos has perhaps one to be tested on
_PLAIN = re.compile(r"[A-Za-z0-9./_][A-Za-z0-9 ./_+-]*")


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where the fleet lives, as far as a person has said so.

    Attributes:
        name: The fleet's name; None: that of the photos' folder.
        store: Folder or bucket.
        tracking: Address of an MLflow server, or None.
        environment: Names of the Secrets that pods are told by.
    """

    name: str | None = None
    store: str = "./store"
    tracking: str | None = None
    environment: tuple[str, ...] = ()


HERE = Surroundings()


def starter(found: Survey, folder: Path, surroundings: Surroundings = HERE) -> str:
    """The text of a fleet file in `folder` for what a survey found.

    Raises:
        DataError: what was found makes no valid fleet; the message says why.
    """
    text = "\n".join(_lines(found, folder.absolute(), surroundings)) + "\n"
    _, problems = examine(text)
    if problems:
        reasons = "; ".join(problem.message for problem in problems)
        raise DataError(f"the labels in {str(found.table or found.photos)!r} make no valid fleet: {reasons}")
    return text


def _lines(found: Survey, folder: Path, surroundings: Surroundings) -> list[str]:
    return [
        "# What this fleet answers about photos, and from which photos it learns.",
        "# `coachworks check` checks this file, `coachworks run` makes the models, `coachworks predict` asks them.",
        "apiVersion: coachworks.dev/v1",
        "kind: Fleet",
        "metadata:",
        f"  name: {scalar(surroundings.name or fleet_name(found.photos))}",
        "spec:",
        f"  store: {scalar(surroundings.store)}  # everything that is made goes here; delete it and it is made again",
        *_sources(found, folder),
        *_places(surroundings),
        "  backbone: efficientnet-lite0  # comes with the installation; -lite1 and -lite2 see more and take longer",
        "  augment:",
        "    views: 2  # changed copies of each training photo (crops, light, blur); more take longer",
        "  defaults:",
        "    candidates: [linear, knn, svm, naive-bayes]  # they compete; the simplest of the best wins",
        "    gates:",
        "      # A model that does worse on the photos kept aside for the test is not registered. 0.8 is modest:",
        "      # of each label, four photos in five must be right. Raise it to what your purpose needs.",
        "      minBalancedAccuracy: 0.8",
        "      # Labels with fewer photos stop their skill. Without it, fewer than 1,000 is only a warning.",
        "      # minPhotosPerLabel: 1000",
        "  skills:",
        *(line for skill in found.skills for line in _skill(skill, labels_by_table=found.table is not None)),
    ]


def _places(surroundings: Surroundings) -> list[str]:
    lines = []
    if surroundings.tracking is not None:
        lines.append(f"  tracking: {scalar(surroundings.tracking)}  # MLflow, as people reach it")
    if surroundings.environment:
        lines += [
            "  cluster:  # how the pipeline's pods are made; nothing here is secret",
            "    environment:  # what tells pods of the store, MLflow and credentials",
            *(f"      - secret: {scalar(name)}" for name in surroundings.environment),
            "    # schedule: 0 2 * * *  # for `coachworks submit --schedule`",
            "    defaults:",
            "      requests: {cpu: 500m, memory: 1Gi}  # of every step; `steps` says otherwise of one",
        ]
    return lines


def _sources(found: Survey, folder: Path) -> list[str]:
    lines = ["  sources:  # taken in again on every run; only what is new costs anything"]
    lines.append(f"    - photos: {scalar(_from(folder, found.photos))}  # {_photos(found.count)}")
    if found.table is not None:
        lines.append(f"      table: {scalar(_from(folder, found.table))}  # labels {_photos(found.labelled)}")
        if found.missing:
            lines.append(
                f"      # The table names {len(found.missing)} files that are not there; first: {found.missing[0]!r}"
            )
        lines.extend(f"      # Column {column!r} is no skill: {reason}." for column, reason in found.left_out.items())
    else:
        lines.append(f"      skill: {scalar(found.skills[0].name)}  # each sub-folder is a label of this skill")
    lines.append("      # permission: by which licence or written permission you use these photos")
    return lines


def _skill(skill: SkillFound, *, labels_by_table: bool) -> list[str]:
    lines = [f"    {scalar(skill.name)}:"]
    lines.append("      # question: what the skill answers, in words that the people who label it see")
    lines.append("      labels:")
    lines.extend(
        f"        - {scalar(label)}  # {_photos(count)}" + (", too few to learn and to test" if count < _FEW else "")
        for label, count in skill.labels.items()
    )
    if skill.unsure is not None:
        lines.append(f"      unsure: {scalar(skill.unsure)}  # may be answered, never becomes a class")
    if labels_by_table and len(skill.labels) > 2:
        first, second = list(skill.labels)[:2]
        lines.append("      # Labels that may be confused without harm, as a list of groups:")
        lines.append(f"      # similar: [[{scalar(first)}, {scalar(second)}]]")
    return lines


def _from(folder: Path, path: Path) -> str:
    path = path.absolute()
    return f"./{path.relative_to(folder).as_posix()}" if path.is_relative_to(folder) else path.as_posix()


def _photos(count: int) -> str:
    return "1 photo" if count == 1 else f"{count:,} photos"


def scalar(text: str) -> str:
    """`text` as a YAML scalar: plain where YAML reads it as text, else quoted.

    >>> scalar("close-up"), scalar("no"), scalar("1")
    ('close-up', '"no"', '"1"')
    """
    plain = _PLAIN.fullmatch(text) and not text.endswith(" ") and isinstance(resolve(text), str)
    return text if plain else '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
