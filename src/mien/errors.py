"""Every error that Mien raises on purpose.

::

    MienError                        error
    ├── InvalidArgument              invalid_argument        an option or a request that cannot be
    │   ├── UnknownModel             unknown_model           no card of that name
    │   └── UnknownMetric            unknown_metric
    ├── ConfigurationError           configuration           settings that cannot be used
    ├── ImageError                   image
    │   ├── ImageNotFound            image_not_found         no such file
    │   ├── ImageDecodeError         image_decode            empty, truncated, corrupt, or no image
    │   ├── UnsupportedImage         image_unsupported       a format or array that is not accepted
    │   ├── ImageTooLarge            image_too_large         more bytes, pixels, frames than allowed
    │   ├── ImageTooSmall            image_too_small         a side below the limit
    │   └── ImageUrlError            image_url               a URL that is not fetched, or gave none
    │       └── ImageUrlTimeout      image_url_timeout
    ├── FaceError                    face
    │   ├── NoFaceFound              no_face
    │   ├── SeveralFaces             several_faces           where exactly one is wanted
    │   └── SpoofSuspected           spoof_suspected         a face that is not taken for live
    ├── ModelError                   model
    │   ├── ModelUnavailable         model_unavailable       not cached, and no way to fetch it now
    │   │   └── WeightsMissing       weights_missing         those of the liveness nets
    │   ├── ChecksumMismatch         checksum_mismatch       the file is not the one its card pins
    │   ├── LicenceNotAccepted       licence_not_accepted    needs --accept-licence
    │   ├── ConversionError          model_conversion        a weight file that cannot be converted
    │   └── RuntimeUnavailable       runtime_unavailable     no inference runtime can run the model
    ├── GalleryError                 gallery
    │   ├── NotFound                 not_found               application, group, person, face or key
    │   ├── AlreadyExists            already_exists
    │   ├── EmbeddingMismatch        embedding_mismatch      vectors of two embedding contracts
    │   ├── LimitExceeded            limit_exceeded          a quota of the gallery
    │   │   └── RateLimited          rate_limited            too much in too short a time
    │   ├── GalleryUnavailable       gallery_unavailable     locked, read-only, full, damaged, newer
    │   ├── ArchiveUnusable          archive_unusable        cut off, changed, newer, no space
    │   ├── ConsentMissing           consent_missing         a group that demands consent
    │   ├── SessionOver              session_over            a liveness session that has ended
    │   ├── PreconditionFailed       precondition_failed     changed since the caller saw it
    │   ├── IdempotencyConflict      idempotency_conflict    a key that a request has already
    │   ├── KeyMissing               key_missing             the master key is not at hand
    │   └── KeyMismatch              key_mismatch            a key that does not open what is stored
    └── ServiceError                 service
        ├── Unauthorized             unauthorized            no key, or not a valid one
        ├── Forbidden                forbidden               a valid key that may not do this
        │   └── AttributeNotAllowed  attribute_not_allowed   not allowed to the key's application
        ├── RequestTooLarge          request_too_large
        ├── UnsupportedMediaType     unsupported_media_type
        ├── Overloaded               overloaded              queue full: try again later
        └── DeadlineExceeded         deadline_exceeded

``code`` is stable and is what the service and ``--json`` answer; the message says what to do.
Messages never hold an absolute path, a key, or an embedding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

__all__ = [
    "AlreadyExists",
    "ArchiveUnusable",
    "AttributeNotAllowed",
    "ChecksumMismatch",
    "ConfigurationError",
    "ConsentMissing",
    "ConversionError",
    "DeadlineExceeded",
    "EmbeddingMismatch",
    "FaceError",
    "Forbidden",
    "GalleryError",
    "GalleryUnavailable",
    "IdempotencyConflict",
    "ImageDecodeError",
    "ImageError",
    "ImageNotFound",
    "ImageTooLarge",
    "ImageTooSmall",
    "ImageUrlError",
    "ImageUrlTimeout",
    "InvalidArgument",
    "KeyMismatch",
    "KeyMissing",
    "LicenceNotAccepted",
    "LimitExceeded",
    "MienError",
    "ModelError",
    "ModelUnavailable",
    "NoFaceFound",
    "NotFound",
    "Overloaded",
    "PreconditionFailed",
    "RateLimited",
    "RequestTooLarge",
    "RuntimeUnavailable",
    "ServiceError",
    "SessionOver",
    "SeveralFaces",
    "SpoofSuspected",
    "Unauthorized",
    "UnknownMetric",
    "UnknownModel",
    "UnsupportedImage",
    "UnsupportedMediaType",
]


class MienError(Exception):
    """Base of all errors that Mien raises on purpose.

    Args:
        message: One sentence that says what is wrong and what to do.
        details: Facts for machines (JSON values only), such as ``{"limit": 20000000}``.
    """

    code: ClassVar[str] = "error"

    def __init__(
        self, message: str, *, details: Mapping[str, str | int | float | bool] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})


class InvalidArgument(MienError):
    """An option or a request that cannot be."""

    code = "invalid_argument"


class UnknownModel(InvalidArgument):
    """No model card of that name."""

    code = "unknown_model"


class UnknownMetric(InvalidArgument):
    """No metric of that name."""

    code = "unknown_metric"


class ConfigurationError(MienError):
    """Settings that cannot be used."""

    code = "configuration"


class ImageError(MienError):
    """An image that cannot be used."""

    code = "image"


class ImageNotFound(ImageError):
    """No such image file."""

    code = "image_not_found"


class ImageDecodeError(ImageError):
    """Empty, truncated or corrupt bytes, or no image at all."""

    code = "image_decode"


class UnsupportedImage(ImageError):
    """A format, mode or array layout that is not accepted."""

    code = "image_unsupported"


class ImageTooLarge(ImageError):
    """More bytes, pixels or frames than the limits allow."""

    code = "image_too_large"


class ImageTooSmall(ImageError):
    """A side shorter than the limit."""

    code = "image_too_small"


class ImageUrlError(ImageError):
    """A photo's URL that is not fetched, or that gives no photo."""

    code = "image_url"


class ImageUrlTimeout(ImageUrlError):
    """The photo behind a URL did not arrive in time."""

    code = "image_url_timeout"


class FaceError(MienError):
    """The faces in a photo are not what was asked for."""

    code = "face"


class NoFaceFound(FaceError):
    """No face where one is needed."""

    code = "no_face"


class SeveralFaces(FaceError):
    """Several faces where exactly one is wanted."""

    code = "several_faces"


class SpoofSuspected(FaceError):
    """A face that is not taken for a live one, where only live ones are let through."""

    code = "spoof_suspected"


class ModelError(MienError):
    """A model that cannot be had or run."""

    code = "model"


class ModelUnavailable(ModelError):
    """Not in the cache, and no way to fetch it now (no network, no client, no such file)."""

    code = "model_unavailable"


class WeightsMissing(ModelUnavailable):
    """The liveness nets are not in the cache and cannot be fetched now.

    And the net that is installed is switched off or damaged.
    """

    code = "weights_missing"


class ChecksumMismatch(ModelError):
    """The file is not the one its card pins; it was not kept."""

    code = "checksum_mismatch"


class LicenceNotAccepted(ModelError):
    """The weights' licence has to be accepted first (``--accept-licence NAME``)."""

    code = "licence_not_accepted"


class ConversionError(ModelError):
    """A weight file that cannot be converted."""

    code = "model_conversion"


class RuntimeUnavailable(ModelError):
    """No inference runtime on this machine can run the model."""

    code = "runtime_unavailable"


class GalleryError(MienError):
    """The gallery refuses."""

    code = "gallery"


class NotFound(GalleryError):
    """No such application, group, person, face or key."""

    code = "not_found"


class AlreadyExists(GalleryError):
    """That name is taken, or that face is there already."""

    code = "already_exists"


class EmbeddingMismatch(GalleryError):
    """Embeddings of two contracts cannot be mixed or compared."""

    code = "embedding_mismatch"


class IdempotencyConflict(GalleryError):
    """An ``Idempotency-Key`` that a request has already; ``details["reason"]`` says which."""

    code = "idempotency_conflict"


class PreconditionFailed(GalleryError):
    """What was to be changed is not as the caller last saw it: read it again."""

    code = "precondition_failed"


class LimitExceeded(GalleryError):
    """A quota of the gallery is used up."""

    code = "limit_exceeded"


class RateLimited(LimitExceeded):
    """Too many requests, wrong keys or liveness sessions in too short a time: wait."""

    code = "rate_limited"


class SessionOver(GalleryError):
    """A liveness session that has its result or has expired: it takes no more frames."""

    code = "session_over"


class GalleryUnavailable(GalleryError):
    """The database is locked, read-only, full, damaged, or made by a newer Mien."""

    code = "gallery_unavailable"


class ArchiveUnusable(GalleryError):
    """An archive or backup that is cut off, changed, of a newer Mien, or cannot be written."""

    code = "archive_unusable"


class ConsentMissing(GalleryError):
    """The group demands consent, and the person's is not there or no longer in force."""

    code = "consent_missing"


class KeyMissing(GalleryError):
    """The master key that the gallery is protected by is not at hand."""

    code = "key_missing"


class KeyMismatch(GalleryError):
    """A key does not open what is stored: another key, or bytes that were changed."""

    code = "key_mismatch"


class ServiceError(MienError):
    """The service refuses a request."""

    code = "service"


class Unauthorized(ServiceError):
    """No API key, or not a valid one."""

    code = "unauthorized"


class Forbidden(ServiceError):
    """The API key is valid but may not do this."""

    code = "forbidden"


class AttributeNotAllowed(Forbidden):
    """The key's application may not have that attribute answered (``mien apps allow``)."""

    code = "attribute_not_allowed"


class RequestTooLarge(ServiceError):
    """The request has more bytes or parts than the limits allow."""

    code = "request_too_large"


class UnsupportedMediaType(ServiceError):
    """The request's content type is not one that the route accepts."""

    code = "unsupported_media_type"


class Overloaded(ServiceError):
    """The queue is full: try again later."""

    code = "overloaded"


class DeadlineExceeded(ServiceError):
    """The answer would come later than the request's deadline."""

    code = "deadline_exceeded"
