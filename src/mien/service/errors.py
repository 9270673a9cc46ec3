"""One table from error code to status, and the one shape in which every error is answered."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mien.errors import (
    AlreadyExists,
    Forbidden,
    InvalidArgument,
    MienError,
    NotFound,
    Overloaded,
    RequestTooLarge,
    Unauthorized,
    UnsupportedMediaType,
)

__all__ = [
    "STATUS",
    "Answer",
    "InternalError",
    "MethodNotAllowed",
    "answer_error",
    "error_of",
    "install",
    "invalid",
    "log_unexpected",
    "status_of",
]

logger = logging.getLogger("mien.service")

RETRY_AFTER_S = 1

STATUS: dict[str, int] = {
    # A request that cannot be
    "invalid_argument": 400,
    "unknown_model": 400,
    "unknown_metric": 400,
    "method_not_allowed": 405,
    "request_too_large": 413,
    "unsupported_media_type": 415,
    # An image or a face that cannot be used
    "image": 400,
    "image_not_found": 400,
    "image_decode": 400,
    "image_too_large": 413,
    "image_unsupported": 415,
    "image_too_small": 422,
    "image_url": 400,
    "image_url_timeout": 400,
    "face": 422,
    "no_face": 422,
    "several_faces": 422,
    "spoof_suspected": 422,
    # Keys
    "unauthorized": 401,
    "forbidden": 403,
    "attribute_not_allowed": 403,
    # The gallery
    "gallery": 409,
    "not_found": 404,
    "already_exists": 409,
    "embedding_mismatch": 409,
    "limit_exceeded": 409,
    "rate_limited": 429,
    "idempotency_conflict": 409,
    "precondition_failed": 412,
    "gallery_unavailable": 503,
    "archive_unusable": 422,
    "consent_missing": 409,
    "session_over": 409,
    "key_missing": 503,
    "key_mismatch": 503,
    # Models
    "model": 503,
    "model_unavailable": 503,
    "weights_missing": 503,
    "checksum_mismatch": 503,
    "licence_not_accepted": 503,
    "model_conversion": 503,
    "runtime_unavailable": 503,
    # The service
    "service": 503,
    "overloaded": 503,
    "deadline_exceeded": 504,
    "configuration": 500,
    "client_gone": 499,
    "error": 500,
    "internal": 500,
}
"""Status of each error code. Documented in docs/reference/http-api.md; a test compares them."""


class Answer(Response):
    """A JSON answer: UTF-8, never NaN, and never an exception over odd characters."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Encode ``content``."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


class MethodNotAllowed(InvalidArgument):
    """The route exists, the method does not."""

    code = "method_not_allowed"


class InternalError(MienError):
    """Something that should not happen did; the log has a line with the request's id."""

    code = "internal"

    def __init__(self) -> None:
        super().__init__("Something went wrong in the server.")


def status_of(code: str) -> int:
    """The HTTP status of an error code."""
    return STATUS.get(code, 500)


def answer_error(
    error: MienError, *, request_id: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """``{"error": {"code", "message", "details"}, "request_id"}`` with the code's status."""
    status = status_of(error.code)
    extra = dict(headers or {})
    if status == 401:
        extra["WWW-Authenticate"] = 'Bearer realm="mien"'
    elif status in (429, 503):
        extra["Retry-After"] = str(error.details.get("retry_after_s", RETRY_AFTER_S))
    body = {
        "error": {"code": error.code, "message": error.message, "details": error.details},
        "request_id": request_id,
    }
    return Answer(body, status_code=status, headers=extra)


def error_of(code: str, message: str, **details: str | int | float | bool) -> MienError:
    """An error that has only its code, such as the reason of a rejected photo.

    A code without a class of its own becomes ``face`` with the code as ``details.reason``.
    """
    classes = {one.code: one for one in _subclasses(MienError)}
    if code == "duplicate":
        return AlreadyExists(message, details={"reason": code, **details})
    if code in classes:
        return classes[code](message, details=details)
    return classes["face"](message, details={"reason": code, **details})


def invalid(errors: Sequence[Mapping[str, Any]]) -> InvalidArgument:
    """The first of pydantic's complaints as one sentence, without the offending value."""
    first = errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("query", "path", "body"))
    reason = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        reason = "There is no such field or option"
    elif first["type"] == "missing":
        reason = "It is missing"
    place = place[:100]
    return InvalidArgument(f"{place!r}: {reason}.", details={"field": place})


def install(app: FastAPI) -> None:
    """Answer every exception of a handler, a dependency or the router in the one shape."""
    app.add_exception_handler(MienError, _on_mien_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)


def log_unexpected(error: BaseException, *, request_id: str) -> None:
    """One line that says where it happened: no message, because it may quote a path or a value."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "mien" in frame.filename] or frames
    place = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "unknown"
    facts = {"request_id": request_id, "error": type(error).__name__, "place": place}
    logger.error("request %s failed: %s at %s", *facts.values(), extra={"mien": facts})


async def _on_mien_error(request: Request, error: Exception) -> Response:
    request_id = request.state.request_id
    if not isinstance(error, MienError):  # pragma: no cover - registered for MienError only
        raise error
    if status_of(error.code) >= 500 and not isinstance(error, Overloaded):
        facts = {"request_id": request_id, "code": error.code}
        logger.warning("request %s failed: %s", request_id, error.code, extra={"mien": facts})
    return _answer(request, error)


async def _on_validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):  # pragma: no cover
        raise error
    return _answer(request, invalid(error.errors()))


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # pragma: no cover
        raise error
    headers = dict(error.headers or {})
    methods = request.app.state.methods.get(getattr(request.scope.get("route"), "path", ""))
    if error.status_code == 405 and methods:
        headers["Allow"] = ", ".join(sorted(methods))
    native = request.app.state.speaker(request.url.path) is None
    return _answer(request, _from_status(error.status_code, native=native), headers)


def _answer(
    request: Request, error: MienError, headers: Mapping[str, str] | None = None
) -> Response:
    request.app.state.service.metrics.errors.labels(error.code).inc()
    dialect = request.app.state.speaker(request.url.path)
    if dialect is None:
        return answer_error(error, request_id=request.state.request_id, headers=headers)
    answer: Response = dialect(request, error)
    if answer.status_code == 405:
        answer.headers.update(headers or {})
    return answer


def _from_status(status: int, *, native: bool) -> MienError:
    where = "; /docs lists them all" if native else ""
    match status:
        case 401:
            return Unauthorized("Send an API key: Authorization: Bearer KEY.")
        case 403:
            return Forbidden("This key may not do that.")
        case 404:
            return NotFound(f"There is no such route{where}.")
        case 405:
            return MethodNotAllowed(f"This route does not take that method{where}.")
        case 413:
            return RequestTooLarge("The request is too large.")
        case 415:
            return UnsupportedMediaType("The route does not take that content type.")
        case _:
            return InvalidArgument("The request cannot be read.")


def _subclasses(kind: type[MienError]) -> list[type[MienError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _subclasses(child))]
