"""Pages of a run's results: the documents, and the pages of validation, augmentation, training and evaluation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coachworks.errors import NotFoundError
from coachworks.result import Result
from coachworks.results import ancestor, latest, load, typed
from coachworks.store import Store
from coachworks.wording import pipeline_command
from components.document.report import DocumentReport
from components.evaluate.report import EvaluateReport
from components.train.report import TrainReport
from components.train.suspicious_labels import PAGE as SUSPICIOUS_LABELS

# Name on the command line -> step and file of the page.
PAGES = {
    "document": ("document", "index.html"),
    "validation": ("validate", "page.html"),
    "contact-sheet": ("augment", "contact-sheet.html"),
    "evaluation": ("evaluate", "page.html"),
    "suspicious-labels": ("train", SUSPICIOUS_LABELS),  # one in the folder of each skill
}


@dataclass(frozen=True)
class Page:
    """A page in the store.

    Attributes:
        result: The result that holds it.
        name: Its file, relative to the result's folder.
    """

    result: Result[Any]
    name: str

    def fetch(self) -> Path:
        """Return its local path; documents come with the files that they link to, the other pages need none."""
        return self.result.path / self.name if self.result.step == "document" else self.result.file(self.name)


def find_pages(store: Store, page: str, skill: str | None = None, document: str | None = None) -> list[Page]:
    """Return the pages of one kind: one, one per lane of skills for the evaluation, one per skill for its labels.

    Args:
        store: The store.
        page: One of `PAGES`.
        skill: A skill, whose document, page of labels, or lane's evaluation, is returned.
        document: Key of the result of document of a run; None: the newest results.

    Raises:
        NotFoundError: there is no such page yet, or it has nothing about the skill.
    """
    step, name = PAGES[page]
    last = _last_document(store, document)
    if step in {"evaluate", "train"} and last is not None:
        package = ancestor(store, last, "package")
        lanes = [ancestor(store, load(store, "register", key), step) for key in package.inputs["register"]]
    elif document is not None and last is not None:
        lanes = [last if step == "document" else ancestor(store, last, step)]
    else:
        lanes = [_newest(store, step, page)]
    if step == "train":
        return _of_labels(lanes, skill)
    if skill is not None and step == "document":
        names = {key: files.html for key, files in typed(lanes[0], DocumentReport).report.documents.items()}
        if skill not in names:
            raise NotFoundError(f"there is no document of {skill!r}; there are those of: {', '.join(names)}.")
        name = names[skill]
    elif skill is not None:
        lanes = [lane for lane in lanes if skill in typed(lane, EvaluateReport).report.skills]
        if not lanes:
            raise NotFoundError(f"{skill!r} was not evaluated. `coachworks status` shows why.")
    return [Page(lane, name) for lane in lanes]


def _of_labels(lanes: list[Result[Any]], skill: str | None) -> list[Page]:
    """Pages of suspicious labels of a skill, or of every skill that has one."""
    pages = [
        Page(lane, f"{name}/{SUSPICIOUS_LABELS}")
        for lane in lanes
        for name, record in typed(lane, TrainReport).report.skills.items()
        if record.label_noise is not None and skill in (None, name)
    ]
    if not pages:
        raise NotFoundError(
            f"the labels of {'any skill' if skill is None else repr(skill)} could not be judged: that takes a trained "
            "skill with validation photos. `coachworks status` shows what was trained."
        )
    return pages


def _last_document(store: Store, key: str | None) -> Result[Any] | None:
    try:
        return load(store, "document", key or latest(store, "document"))
    except NotFoundError:
        return None


def _newest(store: Store, step: str, page: str) -> Result[Any]:
    try:
        return load(store, step, latest(store, step))
    except NotFoundError as err:
        command = pipeline_command(store.uri)
        raise NotFoundError(f"no run on {store.uri} has got as far as {page} yet. {command} makes it.") from err
