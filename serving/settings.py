"""Settings of the service, read from the environment once, when it starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

from coachworks.errors import InvalidConfigError
from coachworks.photos import MAX_BYTES

PREFIX = "COACHWORKS_SERVING_"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """How the service works; each is set by the variable `COACHWORKS_SERVING_<NAME>`.

    Attributes:
        threads: Threads of one backbone pass; 0: one per core that the process may use.
        decode_threads: Photos decoded at the same time.
        max_batch: Most photos in one backbone pass.
        max_wait_ms: Longest that a photo waits for others that are under way, in milliseconds.
        max_queue: Most requests between upload and answer; more are refused with 503.
        max_body_bytes: Largest body of a request.
        max_upload_bytes: Most bytes of all uploads at a time; more are refused with 503.
        upload_timeout_s: Longest that an upload may take, in seconds.
        answer_timeout_s: Longest from upload to answer, in seconds; then it is refused with 503.
    """

    threads: int = 0
    decode_threads: int = 2
    max_batch: int = 8
    max_wait_ms: int = 10
    max_queue: int = 64
    max_body_bytes: int = MAX_BYTES
    max_upload_bytes: int = 256 * 1024**2
    upload_timeout_s: int = 30
    answer_timeout_s: int = 30

    def __post_init__(self) -> None:
        for field in fields(self):
            value, least = getattr(self, field.name), 0 if field.name in {"threads", "max_wait_ms"} else 1
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise InvalidConfigError(f"{field.name} must be an integer of at least {least}; got {value!r}")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The settings that the environment holds.

        Raises:
            InvalidConfigError: a variable of ours is no setting, or its value breaks the rule.
        """
        names = {field.name for field in fields(cls)}
        values: dict[str, int] = {}
        for variable, text in environ.items():
            if not variable.startswith(PREFIX):
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name.startswith(("service_", "port")):  # Kubernetes, of a Service called `coachworks-serving`
                continue
            if name not in names:
                known = ", ".join(sorted(PREFIX + known.upper() for known in names))
                raise InvalidConfigError(f"{variable} is no setting of the service; they are {known}")
            try:
                values[name] = int(text)
            except ValueError as err:
                raise InvalidConfigError(f"{variable} must be an integer; got {text!r}") from err
        return cls(**values)
