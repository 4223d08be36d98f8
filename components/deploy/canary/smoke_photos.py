"""Photos of a smoke test, with the answers that evaluation recorded for the versions to deploy."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from coachworks.errors import DataError, InvalidConfigError, NotFoundError
from coachworks.models.manifest import Manifest, PackagedHead
from coachworks.result import Result
from coachworks.results import ancestor, load
from coachworks.store import Store
from coachworks.wording import pipeline_command

if TYPE_CHECKING:
    import pyarrow as pa

MIN_MARGIN = 0.05  # between the two most probable labels: closer ones may swap on another processor
# Columns of the catalogue: the setting of the backbone that uses each, and the parameter of the service.
_FRAMES = {"box_xyxy": "crop", "rotation_degrees": "upright"}
_PARAMETERS = {"box_xyxy": "box", "rotation_degrees": "rotation_degrees"}
_CANDIDATES = 1000  # per skill: some photos may no longer be in the store


@dataclass(frozen=True)
class _Judged:
    head_digest: str | None = None


@dataclass(frozen=True)
class _Evaluation:
    """The part of evaluate's report that is read here; so evaluations of earlier versions of coachworks can be read."""

    STEP: ClassVar[str] = "evaluate"

    skills: Mapping[str, _Judged]


@dataclass(frozen=True)
class SmokePhoto:
    """Photo with the answer that it must get.

    Attributes:
        skill: The skill.
        photo_id: SHA-256 of the photo.
        uri: Its key in the store.
        label: Recorded answer.
        probability: Calibrated probability of that answer.
        frame: Parameters of the request for the part of the photo that was classified, such as `&box=1,2,30,40`.
    """

    skill: str
    photo_id: str
    uri: str
    label: str
    probability: float
    frame: str = ""


def choose_photos(store: Store, manifest: Manifest, per_skill: int) -> dict[str, list[SmokePhoto]]:
    """Choose up to `per_skill` photos for each skill, spread over its answers, the most certain ones first.

    Raises:
        NotFoundError: recorded answers of a version, or their photos, are no longer in the store.
        DataError: the recorded answers are those of another head.
        InvalidConfigError: `per_skill` is not at least 1.
    """
    if per_skill < 1:
        raise InvalidConfigError(f"per_skill must be at least 1; got {per_skill!r}")
    evaluations: dict[str, Result[_Evaluation]] = {}
    recorded: dict[str, list[Mapping[str, Any]]] = {}
    for skill, head in manifest.skills.items():
        key = str(head.provenance.get("evaluate") or "")
        if key not in evaluations:
            evaluations[key] = _evaluation(store, skill, head, key)
        recorded[skill] = _recorded(store, skill, head, evaluations[key])
    spec = manifest.backbone.spec()
    columns = [column for column, name in _FRAMES.items() if spec.get(name)]
    places = _places(store, evaluations.values(), recorded, columns)
    return {
        skill: _usable(store, skill, manifest.skills[skill], rows, places, per_skill)
        for skill, rows in recorded.items()
    }


def _evaluation(store: Store, skill: str, head: PackagedHead, key: str) -> Result[_Evaluation]:
    try:
        return load(store, _Evaluation, key or "unknown")
    except NotFoundError as err:
        raise _lost(
            store, skill, head, "its evaluation is not named" if not key else f"its evaluation {key} is not there"
        ) from err


def _recorded(store: Store, skill: str, head: PackagedHead, evaluation: Result[_Evaluation]) -> list[Mapping[str, Any]]:
    """Return the rows of the skill's table of answers, the best suited first."""
    import pyarrow.parquet as pq

    name = str(head.provenance.get("skill") or skill)  # the skill's name when it was evaluated
    judged = evaluation.report.skills.get(name)
    evaluated = judged.head_digest if judged else None
    if evaluated != head.head_sha256:
        raise DataError(
            f"the evaluation {evaluation.key} of {skill!r} must be that of the head {head.head_sha256[:12]}, version "
            f"{head.version}; it judged {str(evaluated)[:12]}. Train and register the skill again: "
            f"{pipeline_command(store.uri, '--from train')}."
        )
    try:
        file = evaluation.file(f"{name}/predictions.parquet")
    except NotFoundError as err:
        raise _lost(store, skill, head, f"its evaluation {evaluation.key} has lost them") from err
    table = pq.read_table(file, columns=["photo_id", "predicted", "confidence", "probabilities"])
    margins = _margins(table)
    clear = margins >= MIN_MARGIN
    return _spread(table.filter(clear), margins[clear]) if clear.any() else _spread(table, margins)


def _lost(store: Store, skill: str, head: PackagedHead, why: str) -> NotFoundError:
    return NotFoundError(
        f"the smoke test of {skill!r} needs the answers that evaluation recorded of version {head.version}, and the "
        f"store {store.uri} has none: {why}. {pipeline_command(store.uri)} evaluates the skill again; where that "
        "makes another version, deploy that one."
    )


def _margins(table: "pa.Table") -> NDArray[np.float64]:
    """Return the difference between the probabilities of each photo's answer and of the next label, shape `(N,)`."""
    probabilities = table["probabilities"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    nearest: NDArray[np.float64] = np.partition(probabilities, -2, axis=1)[:, -2:]
    return nearest[:, 1] - nearest[:, 0]


def _spread(table: "pa.Table", margins: NDArray[np.float64]) -> list[Mapping[str, Any]]:
    """Return rows of all answers in turn, the clearest of each answer first; at most `_CANDIDATES`."""
    ids, answers = table["photo_id"].to_pylist(), table["predicted"].to_pylist()
    taken: Counter[str] = Counter()
    turns = []
    for row in sorted(range(len(table)), key=lambda row: (-margins[row], ids[row])):
        turns.append((taken[answers[row]], answers[row], row))
        taken[answers[row]] += 1
    chosen = [row for _, _, row in sorted(turns)[:_CANDIDATES]]
    return list(table.select(["photo_id", "predicted", "confidence"]).take(chosen).to_pylist())


def _places(
    store: Store,
    evaluations: Iterable[Result[Any]],
    recorded: Mapping[str, Sequence[Mapping[str, Any]]],
    framing: Sequence[str],
) -> dict[str, tuple[str, str]]:
    """Return the store's key of each photo that might be sent, and the parameters of its frame.

    Args:
        store: The store.
        evaluations: Evaluations of the photos.
        recorded: Rows of each skill's table of answers.
        framing: Columns of the catalogue that hold frames.
    """
    import pyarrow.parquet as pq

    ids = sorted({row["photo_id"] for rows in recorded.values() for row in rows})
    places: dict[str, tuple[str, str]] = {}
    for key in {ancestor(store, evaluation, "ingest").key for evaluation in evaluations}:
        file = load(store, "ingest", key).file("catalogue.parquet")
        present = [column for column in framing if column in pq.read_schema(file).names]
        table = pq.read_table(file, columns=["photo_id", "uri", *present], filters=[("photo_id", "in", ids)])
        for row in table.to_pylist():
            values = (f"&{_PARAMETERS[column]}={row[column]}" for column in present if row[column] is not None)
            places[row["photo_id"]] = row["uri"], "".join(values)
    return places


def _usable(
    store: Store,
    skill: str,
    head: PackagedHead,
    rows: Iterable[Mapping[str, Any]],
    places: Mapping[str, tuple[str, str]],
    per_skill: int,
) -> list[SmokePhoto]:
    chosen: list[SmokePhoto] = []
    for row in rows:
        uri, frame = places.get(row["photo_id"], ("", ""))
        if uri and store.exists(uri):
            chosen.append(SmokePhoto(skill, row["photo_id"], uri, row["predicted"], row["confidence"], frame))
        if len(chosen) == per_skill:
            break
    if not chosen:
        raise _lost(store, skill, head, "none of the photos that it was evaluated on is left")
    return chosen
