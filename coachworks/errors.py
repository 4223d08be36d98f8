"""The errors a user can meet: one base, few classes, each message saying what, the rule, and the way out."""


class CoachworksError(Exception):
    """Base of every error that coachworks raises on purpose."""


class InvalidConfigError(CoachworksError, ValueError):
    """A setting breaks its rule."""


class NotFoundError(CoachworksError, LookupError):
    """Something named does not exist: a file, a result, a model version."""


class DataError(CoachworksError, ValueError):
    """The data cannot be used as they are."""


class PhotoError(DataError):
    """A file that is not a usable photo.

    Attributes:
        reason: Machine-readable code, one of `coachworks.photos.Reason`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["PhotoError"], tuple[str, str]]:
        return type(self), (self.reason, str(self))


class TransientError(CoachworksError):
    """Something outside failed and may work again: the only kind a retry may repeat."""
