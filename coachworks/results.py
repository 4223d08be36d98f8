"""Results: what a step made, under a key that says from what, so that the same work is never done twice.

A result is a folder `results/<step>/<key>/` in the store, published whole, with `report.json` in it. Its key is
the digest of the step's code and inputs, upstream keys among them: equal inputs, equal key, nothing to do.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from coachworks.context import Context
from coachworks.digests import digest_json
from coachworks.errors import CoachworksError, NotFoundError
from coachworks.store import Store

REPORT = "report.json"


class NotDoneError(CoachworksError):
    """A dry run came to a step that would do something.

    Attributes:
        step: The step.
        why: What there is to do, in words.
    """

    def __init__(self, step: str, why: str = "its inputs have changed, or it was never done") -> None:
        super().__init__(f"{step} is not done: {why}")
        self.step, self.why = step, why


@dataclass(frozen=True)
class Result:
    """One step's published outcome.

    Attributes:
        step: Name of the step.
        key: Digest of the step's code and inputs, 32 hexadecimal digits.
        inputs: What the key was made of; upstream results under their step's name.
        report: What the step reports, as JSON values.
        created_at: When it was made, ISO 8601, UTC.
        duration_s: How long that took.
        reused: Whether it was there before this call.
        store: Where its files are.
    """

    step: str
    key: str
    inputs: Mapping[str, Any]
    report: Mapping[str, Any]
    created_at: str
    duration_s: float
    reused: bool = False
    store: Store = field(kw_only=True, repr=False, compare=False)

    @cached_property
    def path(self) -> Path:
        """Local folder to read all its files from; those in a bucket are fetched when this is asked for first."""
        return self.store.fetch(self._tree)

    @property
    def place(self) -> str:
        """Where people find its files: a path, or an address in a bucket."""
        return self.store.address(self._tree)

    def file(self, name: str) -> Path:
        """Local path of one file or sub-folder, without the others.

        Raises:
            NotFoundError: the result has none.
        """
        return self.store.fetch(f"{self._tree}/{name}")

    @property
    def _tree(self) -> str:
        return f"results/{self.step}/{self.key}"


def produce(
    store: Store,
    step: str,
    inputs: Mapping[str, Any],
    build: Callable[[Path], Any],
    *,
    context: Context,
    code: str,
) -> Result:
    """The result of `step` for `inputs`: the published one, else what `build` makes.

    Args:
        store: Where results live.
        step: The step's name.
        inputs: JSON values that decide the outcome; upstream keys under their step's name (`split="3f…"`).
        build: Fills the folder it is given and returns the report, a dataclass or a mapping of JSON values.
        context: Says whether this run wants the step done afresh.
        code: Digest of the step's code: other code, other key.
    """
    key = digest_json({"step": step, "code": code, "inputs": dict(inputs)})[:32]
    target = f"results/{step}/{key}"
    refresh = step in context.refresh
    if refresh:
        key = digest_json({"key": key, "run": context.run})[:32]
        target = f"results/{step}/{key}"
    if store.exists(target):
        if not context.dry:
            point_to(store, step, key)
        context.progress.note("unchanged, result reused")
        return dataclasses.replace(load(store, step, key), reused=True)
    if context.dry:
        raise NotDoneError(step)
    started = time.monotonic()
    with store.scratch() as folder:
        report = build(folder)
        document = {
            "step": step,
            "key": key,
            "inputs": dict(inputs),
            "report": jsonable(report),
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "duration_s": round(time.monotonic() - started, 3),
        }
        (folder / REPORT).write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False), "utf-8")
        store.publish(folder, target)
    point_to(store, step, key)
    return load(store, step, key)


def load(store: Store, step: str, key: str) -> Result:
    """The published result of `step` under `key`.

    Raises:
        NotFoundError: there is none.
    """
    try:
        document = json.loads(store.read(f"results/{step}/{key}/{REPORT}"))
    except NotFoundError as err:
        raise NotFoundError(
            f"no result of the step {step!r} under {key!r} in {store.uri}. Run `coachworks {step}` first."
        ) from err
    return Result(
        step=step,
        key=key,
        inputs=document["inputs"],
        report=document["report"],
        created_at=document["created_at"],
        duration_s=document["duration_s"],
        store=store,
    )


def ancestor(store: Store, result: Result, step: str) -> Result:
    """The result of an earlier `step` that `result` was made from, found through the inputs.

    Raises:
        NotFoundError: `result` does not descend from that step.
    """
    from coachworks.steps import CHAIN

    current = result
    while current.step != step:
        upstream = CHAIN.get(current.step)
        if upstream is None:
            raise NotFoundError(f"the result {result.step}/{result.key} does not descend from the step {step!r}")
        key = current.inputs[upstream]
        current = load(store, upstream, key[0] if isinstance(key, list) else key)
    return current


def point_to(store: Store, step: str, key: str) -> None:
    """Remember `key` as the latest result of `step`: what a single step's command continues from."""
    store.set_link(f"latest/{step}", f"results/{step}/{key}")


def latest(store: Store, step: str) -> str:
    """Key of the latest result of `step`.

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
    """`value` with dataclasses, tuples, paths and NumPy scalars as JSON values; NaN becomes null."""
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
