"""Errors of the HTTP interface: every code with its HTTP status and way out, in one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from coachworks.errors import CoachworksError, PhotoError
from coachworks.photos import FORMATS, MAX_BYTES
from serving.answer_format import ErrorBody, ErrorDocument


class Code(StrEnum):
    """Machine-readable reason of an error."""

    MALFORMED_REQUEST = "malformed-request"
    EMPTY = "empty"
    MALFORMED_MULTIPART = "malformed-multipart"
    INCOMPLETE_BODY = "incomplete-body"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    HEADER_TIMEOUT = "header-timeout"
    UPLOAD_TIMEOUT = "upload-timeout"
    TOO_LARGE = "too-large"
    UNSUPPORTED_CONTENT_TYPE = "unsupported-content-type"
    UNSUPPORTED_FORMAT = "unsupported-format"
    MISSING_PHOTO = "missing-photo"
    SEVERAL_PHOTOS = "several-photos"
    NOT_A_PHOTO = "not-a-photo"
    TRUNCATED = "truncated"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_COSTLY = "too-costly"
    WRONG_BOX = "wrong-box"
    WRONG_ROTATION = "wrong-rotation"
    UNKNOWN_SKILL = "unknown-skill"
    INVALID_PARAMETER = "invalid-parameter"
    HEADERS_TOO_LARGE = "headers-too-large"
    INTERNAL = "internal"
    OVERLOADED = "overloaded"
    NOT_READY = "not-ready"


@dataclass(frozen=True)
class _Rule:
    status: int
    way_out: str


_SEND = "curl --data-binary @photo.jpg -H 'content-type: image/jpeg', or curl -F photo=@photo.jpg"

RULES: Mapping[Code, _Rule] = {
    Code.MALFORMED_REQUEST: _Rule(400, f"Let a library write the request: {_SEND}."),
    Code.EMPTY: _Rule(400, f"Send the photo's bytes: {_SEND}."),
    Code.MALFORMED_MULTIPART: _Rule(400, f"Let a library write the multipart body: {_SEND}."),
    Code.INCOMPLETE_BODY: _Rule(400, "Send the whole body, and keep the connection open until the response arrives."),
    Code.UNAUTHORIZED: _Rule(
        401, "Send a key that the service's operator gave you: curl -H 'authorization: Bearer KEY'."
    ),
    Code.NOT_FOUND: _Rule(404, "Use a path that GET /openapi.json lists; photos go to POST /v1/predict."),
    Code.METHOD_NOT_ALLOWED: _Rule(405, "Use a method that the Allow header lists."),
    Code.HEADER_TIMEOUT: _Rule(408, "Send the request line and all headers at once."),
    Code.UPLOAD_TIMEOUT: _Rule(408, "Send the photo faster, or a smaller one."),
    Code.TOO_LARGE: _Rule(413, f"Send at most {MAX_BYTES // 1024**2} MiB: scale the photo down."),
    Code.UNSUPPORTED_CONTENT_TYPE: _Rule(
        415, f"Send image/*, application/octet-stream or multipart/form-data: {_SEND}."
    ),
    Code.UNSUPPORTED_FORMAT: _Rule(415, f"Send one of {', '.join(FORMATS)}."),
    Code.MISSING_PHOTO: _Rule(422, "Send one file in the field `photo`: curl -F photo=@photo.jpg."),
    Code.SEVERAL_PHOTOS: _Rule(422, "Send one photo per request; the service batches requests itself."),
    Code.NOT_A_PHOTO: _Rule(422, f"Send one of {', '.join(FORMATS)}."),
    Code.TRUNCATED: _Rule(422, "Save or upload the photo again; it must open in an image viewer."),
    Code.TOO_MANY_PIXELS: _Rule(422, "Scale the photo down."),
    Code.TOO_COSTLY: _Rule(
        422, "Open the photo in an image editor and save it again as JPEG or PNG, or scale it down."
    ),
    Code.WRONG_BOX: _Rule(
        422, "Send box=x1,y1,x2,y2 in pixels of the upright photo; without `box`, the whole photo is classified."
    ),
    Code.WRONG_ROTATION: _Rule(
        422, "Send rotation_degrees=90, 180 or 270, or leave it out: the photo then stands as its EXIF data says."
    ),
    Code.UNKNOWN_SKILL: _Rule(422, "Name skills that GET /v1/skills lists, or leave `skills` out for all of them."),
    Code.INVALID_PARAMETER: _Rule(422, "See GET /openapi.json for the parameters and their values."),
    Code.HEADERS_TOO_LARGE: _Rule(431, "Send fewer or shorter headers and cookies, and a shorter query."),
    Code.INTERNAL: _Rule(500, "Report it with the X-Request-Id of this response; the service's log has the cause."),
    Code.OVERLOADED: _Rule(503, "Try again after the number of seconds in the Retry-After header."),
    Code.NOT_READY: _Rule(503, "Try again after the number of seconds in the Retry-After header."),
}
_RETRY_AFTER_S = 1


class RefusalError(CoachworksError):
    """A request that is refused.

    Attributes:
        code: Machine-readable reason.
        status: HTTP status.
        headers: Headers of the response.
    """

    def __init__(self, code: Code, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = RULES[code].status
        self.headers = dict(headers or {})
        if self.status == 503:
            self.headers.setdefault("Retry-After", str(_RETRY_AFTER_S))

    def document(self) -> ErrorDocument:
        """Return the error as the body of the response."""
        return ErrorDocument(error=ErrorBody(code=self.code, message=str(self), way_out=RULES[self.code].way_out))


class UnknownSkillError(RefusalError):
    """A skill that the bundle does not hold."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.UNKNOWN_SKILL, message)


def nothing_under(path: str) -> RefusalError:
    """Return the refusal of a path that the port does not have."""
    return RefusalError(Code.NOT_FOUND, f"there is nothing under {path[:200]!r}")


def refusal_for_photo(err: PhotoError) -> RefusalError:
    """Return the refusal of a file that is not a usable photo."""
    return RefusalError(Code(err.reason), str(err))
