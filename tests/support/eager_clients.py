"""Clients that send photos at a fixed rate, however slow the answers are; run as a process of their own.

python eager_clients.py PORT PHOTO RATE SECONDS: prints the number of answers of each status and the times in seconds.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from pathlib import Path

_PATIENCE_S = 20
_LARGEST_NUMBER = 3000  # of requests on their way


class Clients:
    """A pool of connections that are kept, each with a request at a time.

    Args:
        port: Port of the server on this machine.
        photo: Bytes of the photo.
    """

    def __init__(self, port: int, photo: bytes) -> None:
        self._port = port
        head = (
            f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: {len(photo)}\r\n\r\n"
        )
        self._request = head.encode() + photo
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.statuses: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {}

    async def send(self) -> None:
        """Send a request and record its outcome."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                outcome = await self._ask()
        except (OSError, EOFError, ValueError, TimeoutError) as err:
            outcome = type(err).__name__
        self.statuses[outcome] += 1
        self.times.setdefault(outcome, []).append(time.monotonic() - began)

    async def _ask(self) -> str:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
        keep = False
        try:
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            keep = b"connection: close" not in head
            await writer.drain()
            return head[9:12].decode()
        finally:
            if keep:
                self._idle.append((reader, writer))
            else:
                writer.close()


async def load(port: int, photo: bytes, rate: float, seconds: float) -> dict[str, object]:
    """Send requests at a rate; return what came of them."""
    clients, sending = Clients(port, photo), set[asyncio.Task[None]]()
    began = time.monotonic()
    number = 0
    while (now := time.monotonic() - began) < seconds:
        while number < now * rate:
            number += 1
            if len(sending) < _LARGEST_NUMBER:
                task = asyncio.create_task(clients.send())
                sending.add(task)
                task.add_done_callback(sending.discard)
        await asyncio.sleep(0.002)
    in_time = Counter(clients.statuses)
    await asyncio.gather(*sending)
    times = {status: sorted(each) for status, each in clients.times.items()}
    return {
        "sent": number,
        "per_second": {status: count / seconds for status, count in in_time.items()},
        "statuses": dict(clients.statuses),
        "p50": {status: each[len(each) // 2] for status, each in times.items()},
        "p99": {status: each[len(each) * 99 // 100] for status, each in times.items()},
    }


if __name__ == "__main__":
    port, photo, rate, seconds = sys.argv[1:]
    print(json.dumps(asyncio.run(load(int(port), Path(photo).read_bytes(), float(rate), float(seconds)))))
