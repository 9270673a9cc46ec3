"""CompreFace's error codes, and which error becomes which of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from starlette.responses import Response

from mien.errors import InvalidArgument, MienError, NotFound
from mien.service.dialects.endpoints import headers_of
from mien.service.errors import Answer, status_of

__all__ = ["Failure", "failed", "refused"]


@dataclass(frozen=True, slots=True)
class _Facts:
    code: int
    status: int


class Failure(Enum):
    """Code and HTTP status, as CompreFace's common service defines them.

    Source: ``CommonExceptionCode`` and ``ResponseExceptionHandler`` of exadel-inc/CompreFace 1.2,
    and what its controllers and request classes demand.
    """

    UNDEFINED = _Facts(0, 400)
    NO_ROUTE = _Facts(0, 404)
    EMPTY_FIELD = _Facts(5, 400)
    KEY_NOT_FOUND = _Facts(10, 404)
    IMAGE_NOT_FOUND = _Facts(11, 404)
    MISSING_HEADER = _Facts(20, 400)
    FILE_EXTENSION = _Facts(21, 400)
    VALIDATION = _Facts(26, 400)
    NO_FACE = _Facts(28, 400)
    TOO_MANY_FACES = _Facts(31, 400)
    MISSING_PARAMETER = _Facts(33, 400)
    MISSING_PART = _Facts(34, 400)
    EMBEDDING_COUNT = _Facts(37, 400)
    CORE = _Facts(41, 500)
    SUBJECT_NOT_FOUND = _Facts(42, 404)
    SUBJECT_EXISTS = _Facts(43, 400)
    EMBEDDING_NOT_FOUND = _Facts(44, 404)


def refused(failure: Failure, message: str) -> MienError:
    """A refusal that the dialect has a code of its own for."""
    kind = NotFound if failure.value.status == 404 else InvalidArgument
    return kind(message, details={_DETAIL: failure.name})


_BY_CODE = {
    "unauthorized": Failure.KEY_NOT_FOUND,
    "method_not_allowed": Failure.NO_ROUTE,
    "invalid_argument": Failure.VALIDATION,
    "image_decode": Failure.FILE_EXTENSION,
    "image_unsupported": Failure.FILE_EXTENSION,
    "image_too_small": Failure.VALIDATION,
    "no_face": Failure.NO_FACE,
    "several_faces": Failure.TOO_MANY_FACES,
    "internal": Failure.CORE,
}


_DETAIL = "compreface"
_BY_NAME: dict[object, Failure] = {failure.name: failure for failure in Failure}


def failed(error: MienError) -> Response:
    """``{"message", "code"}`` with the status of the code, or of Mien's own error."""
    failure = _BY_NAME.get(error.details.get(_DETAIL)) or _BY_CODE.get(error.code)
    status = status_of(error.code) if failure is None else failure.value.status
    body = {"message": error.message, "code": (failure or Failure.UNDEFINED).value.code}
    return Answer(body, status_code=status, headers=headers_of(error))
