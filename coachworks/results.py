"""Results: published outcomes of steps under keys that name their inputs, so that the same work is not done twice.

A result is a folder `results/<step>/<key>/` in the store, published whole, with `report.json` in it. Its key is the
digest of the step's code and inputs, upstream keys among them: equal inputs, equal key, nothing to do.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, overload

from pydantic import TypeAdapter, ValidationError

from coachworks.context import Context
from coachworks.digests import digest_json
from coachworks.errors import CoachworksError, DataError, NotFoundError
from coachworks.result import Report, Result
from coachworks.store import Store, read_record
from coachworks.wording import first_problem

REPORT = "report.json"
Json = Mapping[str, Any]
R = TypeVar("R", bound=Report)


class NotDoneError(CoachworksError):
    """A dry run reached a step that would do something.

    Attributes:
        step: The step.
        why: The work to do, in words.
    """

    def __init__(self, step: str, why: str = "its inputs have changed, or it was never done") -> None:
        super().__init__(f"{step} is not done: {why}")
        self.step, self.why = step, why


class ReportError(DataError):
    """The report of a result is not one that this version of coachworks can read."""


@overload
def produce(step: type[R], inputs: Json, build: Callable[[Path], R], *, context: Context, code: str) -> Result[R]: ...
@overload
def produce(step: str, inputs: Json, build: Callable[[Path], Any], *, context: Context, code: str) -> Result[Json]: ...
def produce(
    step: type[Report] | str, inputs: Json, build: Callable[[Path], Any], *, context: Context, code: str
) -> Result[Any]:
    """Return the result of a step for `inputs`: the published one, or else build and publish it.

    Args:
        step: The class of the step's report, or the step's name.
        inputs: JSON values that decide the outcome; upstream keys under their step's name (`split="3f…"`).
        build: Fills an empty folder and returns the report: a dataclass or, by name, a mapping of JSON values.
        context: The store, and whether this run does the step again.
        code: Digest of the step's code: other code, other key.
    """
    store, name = context.store, _name(step)
    if (result := published(step, inputs, context=context, code=code)) is not None:
        return result
    key = _key(name, inputs, context, code)
    if context.dry:
        raise NotDoneError(name)
    started = time.monotonic()
    with store.scratch() as folder:
        report = jsonable(build(folder))
        _decoded(step, key, report)  # before it is published: a report that cannot be read must not be kept
        document = {
            "step": name,
            "key": key,
            "inputs": dict(inputs),
            "report": report,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "duration_s": round(time.monotonic() - started, 3),
        }
        (folder / REPORT).write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False), "utf-8")
        store.publish(folder, f"results/{name}/{key}")
    point_to(store, name, key)
    return load(store, step, key)


def published(step: type[Report] | str, inputs: Json, *, context: Context, code: str) -> Result[Any] | None:
    """Return the published result of a step for `inputs`, as the latest one; None if there is none.

    The arguments are those of `produce`.
    """
    store, name = context.store, _name(step)
    key = _key(name, inputs, context, code)
    if not store.exists(f"results/{name}/{key}"):
        return None
    return reuse(load(store, step, key), context=context)


def reuse(result: Result[R], *, context: Context) -> Result[R]:
    """Return a published result as the outcome of this task, and make it the latest of its step."""
    if not context.dry:
        point_to(context.store, result.step, result.key)
    context.progress.note("unchanged, result reused")
    return dataclasses.replace(result, reused=True)


def _key(name: str, inputs: Json, context: Context, code: str) -> str:
    key = digest_json({"step": name, "code": code, "inputs": dict(inputs)})[:32]
    return digest_json({"key": key, "run": context.run})[:32] if name in context.refresh else key


@overload
def load(store: Store, step: type[R], key: str) -> Result[R]: ...
@overload
def load(store: Store, step: str, key: str) -> Result[Json]: ...
@overload
def load(store: Store, step: type[R] | str, key: str) -> Result[Any]: ...
def load(store: Store, step: type[Report] | str, key: str) -> Result[Any]:
    """Load the published result of a step.

    Args:
        store: The store that holds it.
        step: The class of the step's report, such as `EmbedReport`; or the step's name, for a report as JSON values.
        key: Its key.

    Raises:
        NotFoundError: there is no such result.
        DamagedError: its report is not what was written.
        ReportError: another version of coachworks wrote its report, with other fields.
    """
    name = _name(step)
    try:
        document = read_record(store, f"results/{name}/{key}/{REPORT}")
    except NotFoundError as err:
        raise NotFoundError(
            f"no result of the step {name!r} under {key!r} in {store.uri}. Run `coachworks {name}` first."
        ) from err
    return Result(
        step=name,
        key=key,
        inputs=document["inputs"],
        report=_decoded(step, key, document["report"]),
        created_at=document["created_at"],
        duration_s=document["duration_s"],
        store=store,
    )


@overload
def ancestor(store: Store, result: Result[Any], step: type[R]) -> Result[R]: ...
@overload
def ancestor(store: Store, result: Result[Any], step: str) -> Result[Json]: ...
def ancestor(store: Store, result: Result[Any], step: type[Report] | str) -> Result[Any]:
    """Load the result of an earlier step that `result` was made from, by the keys in the inputs.

    Args:
        store: The store that holds both.
        result: The later result.
        step: The class of the earlier step's report, or the step's name.

    Raises:
        NotFoundError: `result` does not descend from that step.
        ReportError: another version of coachworks wrote the report, with other fields.
    """
    name = _name(step)
    for earlier in ancestors(store, result):
        if earlier.step == name:
            return earlier if isinstance(step, str) else typed(earlier, step)
    raise NotFoundError(f"the result {result.step}/{result.key} does not descend from the step {name!r}")


def ancestors(store: Store, result: Result[Any]) -> Iterator[Result[Json]]:
    """Load `result` and the results that it was made from, one after another up to the first step.

    Raises:
        NotFoundError: a result on the way is no longer in the store.
    """
    from coachworks.steps import CHAIN

    step: str | None = result.step
    key: Any = result.key
    while step is not None:
        current = load(store, step, key)
        yield current
        step = CHAIN.get(step)
        if step is not None:
            key = current.inputs[step]
            key = key[0] if isinstance(key, list) else key


def typed(result: Result[Any], report: type[R]) -> Result[R]:
    """Return the result with its report as a dataclass.

    Raises:
        ReportError: another version of coachworks wrote the report, with other fields.
    """
    return dataclasses.replace(result, report=_decoded(report, result.key, result.report))


def _name(step: type[Report] | str) -> str:
    return step if isinstance(step, str) else step.STEP


def _decoded(step: type[Report] | str, key: str, report: Any) -> Any:
    """Return the report as an instance of its class; unknown fields are ignored."""
    if isinstance(step, str):
        return report
    try:
        return _adapter(step).validate_python(report)
    except ValidationError as err:
        raise ReportError(
            f"the report of {step.STEP}/{key} must have the fields that this version of coachworks writes; "
            f"{first_problem(err)}. Run `coachworks {step.STEP}` again."
        ) from err


@cache
def _adapter(report: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(report)


def point_to(store: Store, step: str, key: str) -> None:
    """Make `key` the latest result of `step`, from which the command of the next step continues."""
    store.set_link(f"latest/{step}", f"results/{step}/{key}")


def latest(store: Store, step: str) -> str:
    """Return the key of the latest result of `step`.

    Raises:
        NotFoundError: the step has not run on this store.
    """
    try:
        return store.resolve_link(f"latest/{step}").rpartition("/")[2]
    except NotFoundError as err:
        raise NotFoundError(
            f"the step {step!r} has not run on {store.uri} yet. Run `coachworks {step}` first."
        ) from err


def jsonable(value: Any) -> Any:
    """Return `value` with dataclasses, tuples, paths and NumPy scalars as JSON values; NaN becomes null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(v) for v in value]
    if isinstance(value, Path):
        return value.as_posix()
    if hasattr(value, "tolist") and not isinstance(value, (str, bytes)):
        return jsonable(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
