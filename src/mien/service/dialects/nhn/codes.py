"""Result codes of NHN Cloud Face Recognition, and which error becomes which of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mien.errors import MienError

__all__ = ["Refused", "Result", "result_of"]


@dataclass(frozen=True, slots=True)
class _Facts:
    number: int
    message: str


class Result(Enum):
    """A result code and its message, as NHN's guide spells them.

    0 is success, above it partial success, below it an error.
    """

    SUCCESS = _Facts(0, "Success")
    PARTIAL = _Facts(40070, "ServiceQuotaExceededPartialSuccessException")
    INVALID_PARAM = _Facts(-40000, "InvalidParam")
    INVALID_GROUP_ID = _Facts(-40010, "InvalidGroupID")
    DUPLICATED_GROUP_ID = _Facts(-40020, "DuplicatedGroupID")
    NOT_FOUND_GROUP = _Facts(-40030, "NotFoundGroupError")
    INVALID_TOKEN = _Facts(-40040, "InvalidTokenError")
    NOT_FOUND_FACE = _Facts(-40050, "NotFoundFaceIDError")
    QUOTA_EXCEEDED = _Facts(-40070, "ServiceQuotaExceededException")
    UNAUTHORIZED_V1 = _Facts(-41000, "UnauthorizedAppKey")
    UNAUTHORIZED = _Facts(-41005, "UnauthorizedAppKeyOrSecretKey")
    MALFORMED_TOKEN = _Facts(-41006, "InvalidToken")
    UNAUTHORIZED_TOKEN = _Facts(-41007, "UnauthorizedToken")
    IMAGE_TOO_LARGE = _Facts(-45020, "ImageTooLargeException")
    INVALID_IMAGE_BYTES = _Facts(-45030, "InvalidImageBytesException")
    INVALID_IMAGE_PARAMETER = _Facts(-45030, "InvalidImageParameterException")
    INVALID_IMAGE_FORMAT = _Facts(-45040, "InvalidImageFormatException")
    INVALID_IMAGE_URL = _Facts(-45050, "InvalidImageURLException")
    IMAGE_TIMEOUT = _Facts(-45060, "ImageTimeoutError")
    INVALID_IMAGE_FILE = _Facts(-45080, "InvalidImageFileException")
    INTERNAL = _Facts(-50000, "InternalServerError")

    @property
    def number(self) -> int:
        """The code."""
        return self.value.number

    @property
    def message(self) -> str:
        """Its message."""
        return self.value.message


class Refused(Exception):  # noqa: N818 - a word of the dialect, never seen outside it
    """The dialect's own refusal.

    Args:
        result: what is answered.
        reason: Mien's error code, for the header ``X-Mien-Error``.
    """

    def __init__(self, result: Result, reason: str = "invalid_argument") -> None:
        super().__init__(result.message)
        self.result = result
        self.reason = reason


_BY_CODE = {
    "invalid_argument": Result.INVALID_PARAM,
    "method_not_allowed": Result.INVALID_PARAM,
    "not_found": Result.INVALID_PARAM,
    "unsupported_media_type": Result.INVALID_PARAM,
    "no_face": Result.INVALID_PARAM,
    "spoof_suspected": Result.INVALID_PARAM,
    "image_too_small": Result.INVALID_PARAM,
    "consent_missing": Result.INVALID_PARAM,
    "request_too_large": Result.IMAGE_TOO_LARGE,
    "image_too_large": Result.IMAGE_TOO_LARGE,
    "image_unsupported": Result.INVALID_IMAGE_FORMAT,
    "image_decode": Result.INVALID_IMAGE_FILE,
    "image_url": Result.INVALID_IMAGE_URL,
    "image_url_timeout": Result.IMAGE_TIMEOUT,
    "already_exists": Result.DUPLICATED_GROUP_ID,
    "limit_exceeded": Result.QUOTA_EXCEEDED,
    "unauthorized": Result.UNAUTHORIZED,
    "forbidden": Result.UNAUTHORIZED,
}


def result_of(error: MienError) -> Result:
    """What an error is in NHN's terms; what it has no term for is an internal server error."""
    return _BY_CODE.get(error.code, Result.INTERNAL)
