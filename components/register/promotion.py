"""Promotion of a model by one registration at a time, where several machines record to one MLflow.

MLflow sets an alias whatever it was before, so that a look at the champion followed by a promotion may overwrite a
champion that came in between. Therefore each registration claims the promotion first: it sets a tag of its own on the
registered model, and goes on only if it then reads no tag of another. Of two that claim at once, at least the one that
sets its tag last sees the other. The one whose claim sorts first waits for the others to go; those give their claims up
and begin again with their look at the champion.
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict

from coachworks.errors import CoachworksError
from coachworks.store import Process, this_process
from coachworks.tracking import ConcurrentChangeError, TrackingClient
from coachworks.tracking.tags import PROMOTING

_POLL_S = 0.5
_LONGEST_WAIT_S = 60.0
_ABANDONED_S = 300.0  # beside the time for which the claimant repeats a request to a server that does not answer


@contextmanager
def sole_promotion(client: TrackingClient, model: str) -> Iterator[None]:
    """Keep other registrations from promoting a version of a model within the block.

    An embedded MLflow needs no claim: `Tracking.exclusive` keeps its other writers out.

    Args:
        client: MLflow's client.
        model: Name of the registered model.

    Raises:
        ConcurrentChangeError: another registration is about to promote a version. Compare with its champion.
    """
    if client.embedded:
        yield
        return
    claim = f"{PROMOTING}{uuid.uuid4().hex}"
    content = {"at": time.time(), "lasts_s": _ABANDONED_S + 2 * client.retries.limit_s, **asdict(this_process())}
    client.set_registered_model_tag(model, claim, json.dumps(content))
    try:
        _wait_for_others(client, model, claim)
        yield
    finally:
        _remove(client, model, claim)


def _wait_for_others(client: TrackingClient, model: str, claim: str) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while others := _other_claims(client, model, claim):
        if min(others) < claim or time.monotonic() > deadline:
            raise ConcurrentChangeError(
                f"another registration promotes a version of {model!r} at this moment. Run again to compare with the "
                "champion that it leaves."
            )
        time.sleep(_POLL_S)


def _other_claims(client: TrackingClient, model: str, claim: str) -> list[str]:
    """Return the claims of registrations that may be at work, after removing those that were abandoned."""
    tags = dict(client.get_registered_model(model).tags)
    others = {name: value for name, value in tags.items() if name.startswith(PROMOTING) and name != claim}
    for name in [name for name, value in others.items() if _is_abandoned(value)]:
        _remove(client, model, name)
        del others[name]
    return list(others)


def _is_abandoned(content: str) -> bool:
    try:
        fields: Mapping[str, float] = json.loads(content)
        process = Process(str(fields["machine"]), int(fields["pid"]), str(fields["started"]))
        late = time.time() - float(fields["at"]) > float(fields["lasts_s"])
    except (ValueError, TypeError, KeyError):  # nobody can wait for a claim that says nothing
        return True
    return late or (process.is_here and not process.runs)


def _remove(client: TrackingClient, model: str, claim: str) -> None:
    """Remove a claim; one that stays is abandoned after a while."""
    from mlflow.exceptions import MlflowException

    with suppress(CoachworksError, MlflowException):
        client.delete_registered_model_tag(model, claim)
