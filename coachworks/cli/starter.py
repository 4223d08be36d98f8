"""The starter: a valid, commented `fleet.yaml` for a folder of photos."""

import re
from dataclasses import dataclass
from pathlib import Path

from coachworks.errors import DataError
from coachworks.fleet.reader import examine
from coachworks.fleet.yaml_tree import resolve
from coachworks.wording import counted, pipeline_command
from components.ingest.survey import SkillFound, Survey, fleet_name

_FEW = 10  # with fewer photos, 15 % for the test split is one photo or none
_PLAIN = re.compile(r"[A-Za-z0-9./_][A-Za-z0-9 ./_+-]*")


@dataclass(frozen=True, kw_only=True)
class InitOptions:
    """Choices on the command line of `coachworks init`.

    Attributes:
        name: The fleet's name; None: that of the photos' folder.
        store: Folder or bucket.
        tracking: Address of an MLflow server, or None.
        environment: Names of the Secrets whose entries become environment variables of the pods.
        image: Image of the pods, or None.
    """

    name: str | None = None
    store: str = "./store"
    tracking: str | None = None
    environment: tuple[str, ...] = ()
    image: str | None = None


_DEFAULTS = InitOptions()


def starter(survey: Survey, folder: Path, options: InitOptions = _DEFAULTS) -> str:
    """Return the text of a fleet file in `folder` for the photos and labels of a survey.

    Raises:
        DataError: the labels make no valid fleet; the message says why.
    """
    text = "\n".join(_lines(survey, folder.absolute(), options)) + "\n"
    _, problems = examine(text)
    if problems:
        reasons = "; ".join(problem.message for problem in problems)
        raise DataError(f"the labels in {str(survey.table or survey.photos)!r} make no valid fleet: {reasons}")
    return text


def _lines(survey: Survey, folder: Path, options: InitOptions) -> list[str]:
    run = pipeline_command(options.store)
    return [
        "# The questions that this fleet answers about photos, and the photos that it learns from.",
        f"# `coachworks check` checks this file, {run} trains the models, `coachworks predict` uses them.",
        "apiVersion: coachworks.dev/v1",
        "kind: Fleet",
        "metadata:",
        f"  name: {scalar(options.name or _name(survey))}",
        "spec:",
        f"  store: {scalar(options.store)}  # all results; delete it, and the next run computes them again",
        *_sources(survey, folder),
        *_places(options),
        "  backbone: efficientnet-lite0  # comes with the installation; -lite1 and -lite2 are slower, with more detail",
        "  augment:",
        "    views: 2  # augmented copies of each training photo (crops, light, blur); more take longer",
        "  defaults:",
        "    candidates: [linear, knn, svm, naive-bayes]  # the simplest of the best wins",
        "    gates:",
        "      # A model with less than this on the test photos is not registered. 0.8 is modest: on average, four",
        "      # of five photos of a label must be right. Raise it to what your purpose needs.",
        "      minBalancedAccuracy: 0.8",
        "      # A skill with fewer photos of a label does not train. Unset: fewer than 1,000 is only a warning.",
        "      # minPhotosPerLabel: 1000",
        "  skills:",
        *(line for skill in survey.skills for line in _skill(skill, labels_by_table=survey.table is not None)),
    ]


def _name(survey: Survey) -> str:
    """Return a name for the fleet other than its skills', so that a deployment can name its Services after both."""
    name = fleet_name(survey.photos)
    return f"{name}-fleet" if name in {skill.name for skill in survey.skills} else name


def _places(options: InitOptions) -> list[str]:
    lines = []
    if options.tracking is not None:
        lines.append(f"  tracking: {scalar(options.tracking)}  # address of MLflow as people reach it")
    if options.environment or options.image:
        lines.append("  cluster:  # settings of the pipeline's pods; nothing here is secret")
        if options.image:
            lines.append(f"    image: {scalar(options.image)}  # `coachworks images steps` builds it")
        if options.environment:
            lines.append("    environment:  # environment variables of the pods: store, MLflow, credentials")
            lines += [f"      - secret: {scalar(name)}" for name in options.environment]
        lines += [
            "    # schedule: 0 2 * * *  # for `coachworks submit --schedule`",
            "    defaults:",
            "      requests: {cpu: 500m, memory: 1Gi}  # of every step; `steps` overrides them for single steps",
        ]
    return lines


def _sources(survey: Survey, folder: Path) -> list[str]:
    lines = ["  sources:  # read again on every run; only new photos take time"]
    lines.append(f"    - photos: {scalar(_from(folder, survey.photos))}  # {counted(survey.count, 'photo')}")
    if survey.table is not None:
        lines.append(
            f"      table: {scalar(_from(folder, survey.table))}  # labels {counted(survey.labelled, 'photo')}"
        )
        if survey.missing:
            lines.append(
                f"      # The table names {counted(len(survey.missing), 'missing file')}; first: {survey.missing[0]!r}"
            )
        lines.extend(f"      # Column {column!r} is no skill: {reason}." for column, reason in survey.left_out.items())
    else:
        lines.append(f"      skill: {scalar(survey.skills[0].name)}  # each sub-folder is a label of this skill")
    if survey.follow_links:
        lines.append("      followLinks: true  # also of those that lead out of the folder")
    lines.append("      # permission: the licence or written permission under which you use these photos")
    return lines


def _skill(skill: SkillFound, *, labels_by_table: bool) -> list[str]:
    lines = [f"    {scalar(skill.name)}:"]
    lines.append("      # question: the question, as the people who label photos see it")
    lines.append("      labels:")
    lines.extend(
        f"        - {scalar(label)}  # {counted(count, 'photo')}"
        + (", too few to train and test on" if count < _FEW else "")
        for label, count in skill.labels.items()
    )
    if skill.unsure is not None:
        lines.append(f"      unsure: {scalar(skill.unsure)}  # annotators may answer it; it never becomes a class")
    if labels_by_table and len(skill.labels) > 2:
        first, second = list(skill.labels)[:2]
        lines.append("      # Groups of labels whose confusion does no harm:")
        lines.append(f"      # similar: [[{scalar(first)}, {scalar(second)}]]")
    return lines


def _from(folder: Path, path: Path) -> str:
    path = path.absolute()
    return f"./{path.relative_to(folder).as_posix()}" if path.is_relative_to(folder) else path.as_posix()


def scalar(text: str) -> str:
    """Return `text` as a YAML scalar: plain where YAML reads it as text, else quoted.

    >>> scalar("close-up"), scalar("no"), scalar("1")
    ('close-up', '"no"', '"1"')
    """
    plain = _PLAIN.fullmatch(text) and not text.endswith(" ") and isinstance(resolve(text), str)
    return text if plain else '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
