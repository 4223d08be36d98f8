"""Refusal of photos for which there is no place, by the first line of their requests.

Under overload, most requests are refused, and the time that a refusal takes is missing for answers. Parsing a request
and passing it through the app would take twice as long.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from serving.access_log import REQUEST_ID, write_event
from serving.errors import Code, RefusalError
from serving.metrics import ServiceMetrics
from serving.waiting_room import WaitingRoom


class EarlyRefusals:
    """Refuse, log and count requests that the waiting room has no place for.

    Args:
        waiting_room: The places.
        metrics: Metrics to update.
        path: Path of the requests with photos.
        ports: Skill of each skill port.
        identity: Returns the fields about the service that every line of the log contains.
    """

    def __init__(
        self,
        waiting_room: WaitingRoom,
        metrics: ServiceMetrics,
        *,
        path: str,
        ports: Mapping[int, str],
        identity: Callable[[], Mapping[str, str | None]],
    ) -> None:
        self._waiting_room, self._metrics, self._path = waiting_room, metrics, path
        self._ports, self._identity = ports, identity
        self._line = re.compile(rb"POST %s(?:\?([^ ]*))? HTTP/1\.[01]\r?\n" % re.escape(path.encode()))

    def refusal(self, first_bytes: bytes, port: int | None) -> RefusalError | None:
        """Return the refusal of a request that begins with `first_bytes`; None: the app decides."""
        line = self._line.match(first_bytes)
        if line is None:
            return None
        try:
            self._waiting_room.check()
        except RefusalError as err:
            return self._recorded(err, (line[1] or b"").decode("latin-1"), self._ports.get(port or 0))
        return None

    def _recorded(self, err: RefusalError, query: str, skill: str | None) -> RefusalError:
        err.headers[REQUEST_ID] = request_id = uuid.uuid4().hex
        self._metrics.requests.labels(self._path, "POST", str(err.status), skill or "").inc()
        write_event(
            {
                "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
                **self._identity(),
                "skill": skill,
                "key": None,
                "request_id": request_id,
                "method": "POST",
                "path": self._path,
                "query": query,
                "status": err.status,
                "error": str(Code.OVERLOADED),
                "duration_ms": 0.0,
                "received_bytes": 0,
            }
        )
        return err
