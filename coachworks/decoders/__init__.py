"""Decoding of untrusted files in processes that may be killed, with limits of processor time and memory."""

from coachworks.decoders.limits import Cause, DecodersDownError, Lane, LimitError
from coachworks.decoders.pool import Decoders

__all__ = ["Cause", "Decoders", "DecodersDownError", "Lane", "LimitError"]
