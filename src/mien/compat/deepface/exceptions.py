"""DeepFace's exceptions, and Mien's errors in their clothes.

What the functions of :mod:`mien.compat.deepface` raise is at once Mien's typed error, DeepFace's
exception of that meaning, and a ``ValueError``::

    except DeepFace.exceptions.FaceNotDetected: ...
    except mien.errors.NoFaceFound: ...
    except ValueError: ...

``verify`` says which photo was meant, and does not hide the reason in another error.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from mien import errors
from mien.errors import MienError

__all__ = [
    "DataTypeError",
    "DimensionMismatchError",
    "DuplicateEntryError",
    "EmptyDatasource",
    "FaceNotDetected",
    "ImgNotFound",
    "InvalidEmbeddingsShapeError",
    "MissingDependency",
    "PathNotFound",
    "SpoofDetected",
    "UnimplementedError",
    "error",
    "translated",
]


class ImgNotFound(ValueError):  # noqa: N818 - DeepFace's names
    """An image that is not there or cannot be used."""


class PathNotFound(ValueError):  # noqa: N818
    """A folder that is not there."""


class FaceNotDetected(ValueError):  # noqa: N818
    """No face in an image, where ``enforce_detection`` is True."""


class SpoofDetected(ValueError):  # noqa: N818
    """A face that is not a live one, where ``anti_spoofing`` is True."""


class EmptyDatasource(ValueError):  # noqa: N818
    """A folder without images, or a gallery without faces of this kind."""


class DimensionMismatchError(ValueError):
    """An embedding of another length than the model's."""


class InvalidEmbeddingsShapeError(ValueError):
    """Embeddings, or an input of a net, of a shape that cannot be."""


class DataTypeError(ValueError):
    """An argument of another type."""


class UnimplementedError(ValueError):
    """A model, option or database that there is not."""


class DuplicateEntryError(ValueError):
    """A face that is registered already."""


class MissingDependency(ImportError, ValueError):  # noqa: N818
    """A package that is not installed; DeepFace raises a plain ``ImportError``."""


# The most particular first.
_MEANINGS: tuple[tuple[type[MienError], type[ValueError]], ...] = (
    (errors.ImageError, ImgNotFound),
    (errors.NoFaceFound, FaceNotDetected),
    (errors.SpoofSuspected, SpoofDetected),
    (errors.UnknownModel, UnimplementedError),
    (errors.UnknownMetric, UnimplementedError),
    (errors.EmbeddingMismatch, DimensionMismatchError),
    (errors.AlreadyExists, DuplicateEntryError),
)


def error(
    mien: type[MienError],
    deepface: type[ValueError],
    message: str,
    details: Mapping[str, str | int | float | bool] | None = None,
) -> MienError:
    """An error that is a ``mien`` and a ``deepface`` at once, to be raised."""
    return _both((mien, deepface))(message, details=details)


def translated(caught: MienError) -> MienError:
    """``caught`` as an error that is DeepFace's too; one that is already comes back itself."""
    if isinstance(caught, ValueError):
        return caught
    kind = type(caught)
    deepface = next((theirs for ours, theirs in _MEANINGS if issubclass(kind, ours)), ValueError)
    return error(kind, deepface, caught.message, caught.details)


@functools.cache
def _both(kinds: tuple[type[MienError], type[ValueError]]) -> type[MienError]:
    mien, deepface = kinds
    name = mien.__name__ if deepface is ValueError else deepface.__name__

    def reduce(self: MienError) -> tuple[object, ...]:  # pickle finds no class made here
        return error, (mien, deepface, self.message, self.details)

    body = {"__doc__": mien.__doc__, "__module__": __name__, "__reduce__": reduce}
    made: type[MienError] = type(name, (mien, deepface), body)
    return made
