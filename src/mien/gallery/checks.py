"""What may go into a gallery: names, vectors, hashes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.errors import EmbeddingMismatch, InvalidArgument
from mien.types import EmbeddingContract

__all__ = [
    "actor",
    "application_name",
    "contracts_agree",
    "external_id",
    "face_id",
    "group_name",
    "person_name",
    "qualities",
    "sha256",
    "user_data",
    "vectors",
]

_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_FACE_ID = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_NAME = 255
_UNIT_TOLERANCE = 1e-3  # float32 rounding of a 512-d vector stays below 1e-6; bf16 nets below 1e-3


def group_name(name: str) -> str:
    """``name``, if it can name a group: it goes into URLs and file names as it is.

    Raises:
        InvalidArgument: anything but 1 to 255 ASCII letters, digits, ``.``, ``_`` and ``-``, the
            first of them a letter or a digit.
    """
    if not isinstance(name, str) or not _GROUP.fullmatch(name):
        raise InvalidArgument(
            "A group's name is 1 to 255 letters (A-Z, a-z), digits, '.', '_' or '-' and begins "
            "with a letter or a digit."
        )
    return name


def person_name(name: str) -> str:
    """``name`` in Unicode normal form C, so that one spelling is one person.

    Raises:
        InvalidArgument: empty, longer than 255 characters, begins or ends with a space, or holds
            a character that is not printable (control, line break, unpaired surrogate).
    """
    return _printable(name, "a person")


def application_name(name: str) -> str:
    """``name`` in Unicode normal form C; the rules of :func:`person_name`.

    Raises:
        InvalidArgument: not a name.
    """
    return _printable(name, "an application")


def actor(name: str) -> str:
    """Who acts, as the audit log names it; the rules of :func:`person_name`.

    Raises:
        InvalidArgument: not a name.
    """
    return _printable(name, "an actor")


def face_id(text: str) -> str:
    """``text``, if it can be a face's id.

    Raises:
        InvalidArgument: not 32 digits 0-9 and a-f.
    """
    if not _FACE_ID.fullmatch(text):
        raise InvalidArgument("A face's id is 32 digits 0-9 and a-f.")
    return text


def sha256(text: str) -> str:
    """``text``, if it is a SHA-256 in lower-case hexadecimal.

    Raises:
        InvalidArgument: it is not.
    """
    if not _SHA256.fullmatch(text):
        raise InvalidArgument("source_sha256 must be the photo's SHA-256: 64 digits 0-9 and a-f.")
    return text


def external_id(text: str | None) -> str | None:
    """``text``, if it can be a caller's own number for a person or a photo.

    Raises:
        InvalidArgument: not 1 to 255 printable characters, or a space at an end.
    """
    if text is None:
        return None
    if not isinstance(text, str) or not 0 < len(text) <= _MAX_NAME or not _is_name(text):
        raise InvalidArgument(
            f"An external id is 1 to {_MAX_NAME} printable characters, without spaces at its ends."
        )
    return text


def user_data(text: str | None, *, limit: int) -> str | None:
    """``text``, if it can be kept with a group, person or face.

    Raises:
        InvalidArgument: not a text, longer than ``limit`` bytes in UTF-8, or it holds a character
            that no database keeps (NUL, an unpaired surrogate).
    """
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidArgument("User data must be text.")
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidArgument("User data must be Unicode, without unpaired surrogates.") from None
    if length > limit or "\0" in text:
        raise InvalidArgument(
            f"User data is at most {limit} bytes of text, without NUL.", details={"limit": limit}
        )
    return text


def qualities(values: Sequence[float | None]) -> None:
    """Refuse what is no quality.

    Raises:
        InvalidArgument: a number below 0 or above 1, or none.
    """
    if not all(value is None or 0 <= value <= 1 for value in values):
        raise InvalidArgument("A quality is a number from 0 to 1, or None.")


def contracts_agree(group: str, pinned: EmbeddingContract, given: EmbeddingContract) -> None:
    """Refuse embeddings of another contract than the group's.

    Raises:
        EmbeddingMismatch: they cannot be compared.
    """
    if pinned == given:
        return
    if pinned.model != given.model:
        reason = f"holds {pinned.model} embeddings, these are {given.model}"
    else:
        reason = f"was made with another version of {pinned.model} or of its preprocessing"
    raise EmbeddingMismatch(
        f"The group {group!r} {reason}: use the group's model, enrol into another group, or move "
        f"this one with 'mien gallery reembed {group} --embedder {given.model}'.",
        details={"group": group, "group_model": pinned.model, "given_model": given.model},
    )


def vectors(array: NDArray[np.float32], contract: EmbeddingContract) -> NDArray[np.float32]:
    """``array`` as C-contiguous float32 ``(n, d)``, checked for the contract.

    Raises:
        EmbeddingMismatch: another d than the contract's.
        InvalidArgument: not two-dimensional, not finite, or not of unit length.
    """
    array = np.ascontiguousarray(array, np.float32)
    if array.ndim != 2:
        raise InvalidArgument(f"Embeddings must have shape (n, d), not {array.shape}.")
    if array.shape[1] != contract.dim:
        raise EmbeddingMismatch(
            f"{contract.model} embeddings have {contract.dim} numbers, these have "
            f"{array.shape[1]}: they come from another model.",
            details={"dim": contract.dim, "given": array.shape[1]},
        )
    if not np.isfinite(array).all():
        raise InvalidArgument("Embeddings must be finite numbers.")
    length = np.sqrt(np.einsum("nd,nd->n", array, array, dtype=np.float64))
    if (np.abs(length - 1) > _UNIT_TOLERANCE).any():
        raise InvalidArgument("Embeddings must be normalised to unit length.")
    return array


def _printable(name: str, what: str) -> str:
    # The length is checked first: a megabyte of text is refused before it is normalised.
    if isinstance(name, str) and 0 < len(name) <= 4 * _MAX_NAME:
        name = unicodedata.normalize("NFC", name)
        if len(name) <= _MAX_NAME and _is_name(name):
            return name
    raise InvalidArgument(
        f"The name of {what} is 1 to {_MAX_NAME} printable characters, without spaces at its ends."
    )


def _is_name(text: str) -> bool:
    return text.isprintable() and text == text.strip()
