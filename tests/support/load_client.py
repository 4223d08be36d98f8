"""Send requests to every skill of a fleet at a steady rate; run in a pod, print a line of JSON per request.

Nothing is asked twice: what fails, failed, a lookup of the host's name included. Half of the clients keep their
connection, as HTTP libraries do, and the others open one for each request.
"""

import http.client
import json
import select
import sys
import threading
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
TIMEOUT_S = 30
HEADERS = {"Content-Type": "application/octet-stream"}
_lock = threading.Lock()


class Client(threading.Thread):
    """A client of one skill.

    Args:
        number: Which client this is.
        target: `skill`, `host` and `port`.
        kept: Whether it keeps its connection.
        photo: What it asks about.
        period_s: From one question to the next.
        start_s: Pause before the first one, so that not all ask at once.
    """

    def __init__(
        self, number: int, target: dict[str, Any], *, kept: bool, photo: bytes, period_s: float, start_s: float
    ) -> None:
        super().__init__(daemon=True)
        self._number, self._target, self._kept = number, target, kept
        self._photo, self._period_s, self._start_s = photo, period_s, start_s
        self._connection = http.client.HTTPConnection(target["host"], target["port"], timeout=TIMEOUT_S)

    def run(self) -> None:
        time.sleep(self._start_s)
        due = time.monotonic()
        while True:
            due = max(due + self._period_s, time.monotonic())  # what could not be asked in time is left out
            self._ask()
            time.sleep(max(0.0, due - time.monotonic()))

    def _ask(self) -> None:
        at, started = time.time(), time.monotonic()
        line = {"client": self._number, "skill": self._target["skill"], "kept": self._kept, "at": at}
        try:
            line |= self._answer()
        except (OSError, http.client.HTTPException) as err:
            self._connection.close()
            line["error"] = f"{type(err).__name__}: {err}"
        except (ValueError, KeyError, TypeError) as err:
            line["error"] = f"not an answer: {err!r}"
        line["seconds"] = round(time.monotonic() - started, 4)
        with _lock:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def _answer(self) -> dict[str, Any]:
        if not self._kept or self._was_closed():
            self._connection.close()
        self._connection.request("POST", "/v1/predict", self._photo, HEADERS)
        reply = self._connection.getresponse()
        body = reply.read()
        if reply.status != http.client.OK:
            return {"status": reply.status, "error": f"{reply.status}: {body[:200].decode('utf-8', 'replace')}"}
        answers = json.loads(body)["answers"]
        if list(answers) != [self._target["skill"]]:
            return {"status": reply.status, "error": f"answers of {sorted(answers)}"}
        answer = answers[self._target["skill"]]
        return {"status": reply.status, "version": answer["model_version"], "label": answer["label"]}

    def _was_closed(self) -> bool:
        """Return whether the server has closed the connection since the last answer, as connection pools do."""
        return self._connection.sock is not None and bool(select.select([self._connection.sock], [], [], 0)[0])


def main() -> None:
    settings = json.loads((FOLDER / "load.json").read_text("utf-8"))
    photo = (FOLDER / "photo.jpg").read_bytes()
    kinds = [(target, kept) for target in settings["targets"] for kept in (True, False)] * settings["rounds"]
    for number, (target, kept) in enumerate(kinds):
        start_s = settings["period_s"] * number / len(kinds)
        Client(number, target, kept=kept, photo=photo, period_s=settings["period_s"], start_s=start_s).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
