"""Errors as Azure's Face API answers them: a strict status, a code, ``{"error": {...}}``.

Source: the API's reference, and what its SDKs accept (docs/reference/azure.md). A handler raises
:class:`AzureError` where the API has a code of its own; everything else that Mien raises goes
through one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mien.errors import MienError
from mien.service.errors import RETRY_AFTER_S, Answer

__all__ = ["AzureError", "answer", "bad_argument", "exists", "missing", "of_mien", "untrained"]


class AzureError(Exception):
    """What the API answers.

    Args:
        status: of HTTP.
        code: as the API names it.
        message: as the API words it, where its wording is known.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class _Row(NamedTuple):
    """Status and code; the message, or None: Mien's own."""

    status: int
    code: str
    message: str | None = None


_DENIED = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a "
    "valid key: an API key of this server."
)
_UNAVAILABLE = _Row(503, "ServiceUnavailable", "The service is temporarily unavailable.")
_UNDECODABLE = _Row(400, "InvalidImage", "Decoding error, image format unsupported.")

TABLE: Mapping[str, _Row] = {
    "unauthorized": _Row(401, "401", _DENIED),
    "forbidden": _Row(403, "403"),
    "attribute_not_allowed": _Row(403, "UnsupportedFeature"),
    "licence_not_accepted": _Row(403, "UnsupportedFeature"),
    "consent_missing": _Row(403, "ConsentMissing"),
    "limit_exceeded": _Row(403, "QuotaExceeded"),
    "invalid_argument": _Row(400, "BadArgument"),
    "unknown_model": _Row(400, "BadArgument"),
    "embedding_mismatch": _Row(400, "BadArgument", "'recognitionModel' is incompatible."),
    "request_too_large": _Row(400, "BadArgument", "Request body is invalid."),
    "unsupported_media_type": _Row(415, "BadArgument", "Invalid Media Type."),
    "image_decode": _UNDECODABLE,
    "image_unsupported": _UNDECODABLE,
    "image_too_large": _Row(400, "InvalidImageSize", "Image size is too big."),
    "image_too_small": _Row(400, "InvalidImageSize", "Image size is too small."),
    "image_url": _Row(400, "InvalidURL", None),
    "image_url_timeout": _Row(400, "InvalidURL", "Image downloading timeout."),
    "no_face": _Row(400, "InvalidImage", "No face detected in the image."),
    "several_faces": _Row(400, "InvalidImage", "There is more than 1 face in the image."),
    "spoof_suspected": _Row(400, "InvalidImage"),
    "face": _Row(400, "InvalidImage"),
    "session_over": _Row(400, "BadArgument"),
    "rate_limited": _Row(429, "429", "Rate limit is exceeded. Try again later."),
    "overloaded": _Row(429, "429", "Rate limit is exceeded. Try again later."),
    "deadline_exceeded": _Row(408, "OperationTimeOut", "Request Timeout."),
    "client_gone": _Row(408, "OperationTimeOut", "Request Timeout."),
    "gallery_unavailable": _UNAVAILABLE,
    "key_missing": _UNAVAILABLE,
    "key_mismatch": _UNAVAILABLE,
    "model": _UNAVAILABLE,
    "model_unavailable": _UNAVAILABLE,
    "weights_missing": _UNAVAILABLE,
    "checksum_mismatch": _UNAVAILABLE,
    "model_conversion": _UNAVAILABLE,
    "runtime_unavailable": _UNAVAILABLE,
    "service": _UNAVAILABLE,
    "not_found": _Row(404, "ResourceNotFound", "The requested resource was not found."),
    "already_exists": _Row(
        409, "ConcurrentOperationConflict", "There is a conflict operation on requested resource."
    ),
}
"""Mien's code -> what the API answers. What is not in it is 500."""


def of_mien(error: MienError) -> AzureError:
    """What the API answers for an error of Mien's that no handler has a code for."""
    row = TABLE.get(error.code)
    if row is None:
        return AzureError(500, "InternalServerError", "Internal server error.")
    return AzureError(row.status, row.code, row.message or error.message)


def answer(error: AzureError) -> Answer:
    """``{"error": {"code", "message"}}``."""
    headers = {"x-ms-error-code": error.code}
    if error.status in (429, 503):
        headers["Retry-After"] = str(RETRY_AFTER_S)
    body = {"error": {"code": error.code, "message": error.message}}
    return Answer(body, status_code=error.status, headers=headers)


def bad_argument(message: str) -> AzureError:
    """400 BadArgument."""
    return AzureError(400, "BadArgument", message)


def missing(what: str, *, status: int = 404) -> AzureError:
    """``what`` (such as ``PersonGroup``) is not found."""
    return AzureError(status, f"{what}NotFound", f"{_words(what)} is not found.")


def exists(what: str) -> AzureError:
    """``what`` exists already."""
    return AzureError(409, f"{what}Exists", f"{_words(what)} already exists.")


def untrained(what: str, *, status: int) -> AzureError:
    """``what`` was never trained."""
    return AzureError(status, f"{what}NotTrained", f"{_words(what)} is not trained.")


def _words(name: str) -> str:
    """``LargePersonGroup`` as ``Large person group``."""
    spaced = "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
    return spaced[:1].upper() + spaced[1:]
