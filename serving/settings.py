"""Settings of the service, read from the environment once, when it starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from coachworks.errors import InvalidConfigError
from coachworks.photos import MAX_BYTES

PREFIX = "COACHWORKS_SERVING_"
_EARLIER_NAMES = {"decode_threads": "decoders"}  # deployments may still set them


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """Settings of the service, each from the variable `COACHWORKS_SERVING_<NAME>`.

    Attributes:
        threads: Threads of one backbone pass; 0: one per core available to the process.
        decoders: Processes that decode small photos, one each at a time; one more decodes large ones.
        decode_cpu_s: Longest processor time for decoding one photo, in seconds.
        decode_memory_mib: Largest memory for decoding one photo, in MiB.
        max_batch: Largest number of photos in one backbone pass.
        max_wait_ms: Longest time that a photo waits for others that are being uploaded or decoded, in milliseconds.
        max_queue: Largest number of requests between upload and answer; further ones are refused with 503.
        max_body_bytes: Largest body of a request, in bytes.
        max_upload_bytes: Largest size of all concurrent uploads together, in bytes; more are refused with 503.
        upload_timeout_s: Longest duration of an upload, in seconds.
        answer_timeout_s: Longest time from upload to answer, in seconds; then the request is refused with 503.
        max_connections: Largest number of open connections; beyond it, the one that has been silent for longest is
            closed.
        header_timeout_s: Longest time until a request's headers are complete, in seconds.
        idle_timeout_s: Longest time between two requests on a connection, in seconds.
        send_timeout_s: Longest time that a client takes to read an answer, in seconds.
        discard_timeout_s: Longest time for which the rest of a refused body is read, in seconds.
        max_discard_bytes: Largest part of a refused body that is read, in bytes.
    """

    threads: int = 0
    decoders: int = 2
    decode_cpu_s: int = 10
    decode_memory_mib: int = 768
    max_batch: int = 8
    max_wait_ms: int = 10
    max_queue: int = 64
    max_body_bytes: int = MAX_BYTES
    max_upload_bytes: int = 256 * 1024**2
    upload_timeout_s: int = 30
    answer_timeout_s: int = 30
    max_connections: int = 512
    header_timeout_s: int = 10
    idle_timeout_s: int = 75
    send_timeout_s: int = 30
    discard_timeout_s: int = 10
    max_discard_bytes: int = 128 * 1024**2

    def __post_init__(self) -> None:
        for field in fields(self):
            value, minimum = getattr(self, field.name), 0 if field.name in {"threads", "max_wait_ms"} else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
                raise InvalidConfigError(f"{field.name} must be an integer of at least {minimum}; got {value!r}")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the settings from the environment.

        Raises:
            InvalidConfigError: a variable with the prefix is not a setting, or its value is not allowed.
        """
        names = {field.name for field in fields(cls)}
        values: dict[str, int] = {}
        for variable, text in environ.items():
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name.startswith(("service_", "port")):  # set by Kubernetes for a Service called `coachworks-serving`
                continue
            name = _EARLIER_NAMES.get(name, name)
            if name not in names:
                known = ", ".join(sorted(PREFIX + known.upper() for known in names))
                raise InvalidConfigError(f"{variable} is not a setting of the service; the settings are {known}")
            try:
                values[name] = int(text)
            except ValueError as err:
                raise InvalidConfigError(f"{variable} must be an integer; got {text!r}") from err
        return cls(**values)
