"""ForeignFace: a template that another program has made, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument

__all__ = ["ForeignFace", "as_vector"]

_MAX_NUMBERS = 16_384  # of one vector; the longest known has 4096


@dataclass(frozen=True, slots=True, eq=False)
class ForeignFace:
    """One face of another program's gallery.

    Attributes:
        person: whose.
        name: what to call it in the report.
        vector: ``(d,)`` float64, of any length.
        external_image_id: the other program's own number for it, or None.
    """

    person: str
    name: str
    vector: NDArray[np.float64]
    external_image_id: str | None = None


def as_vector(value: object, what: str) -> NDArray[np.float64]:
    """A list of numbers, or an array ``(d,)`` or ``(1, d)``, as float64 ``(d,)``.

    Args:
        value: what was read.
        what: it is, for the message.

    Raises:
        InvalidArgument: anything else, or more numbers than a template has.
    """
    if isinstance(value, np.ndarray) and value.ndim == 2 and len(value) == 1:
        value = value[0]
    if isinstance(value, np.ndarray):
        numbers = value.ndim == 1 and value.dtype.kind in "fiu" and value.size <= _MAX_NUMBERS
        fits = numbers and value.size > 0
    elif isinstance(value, list | tuple):
        fits = 0 < len(value) <= _MAX_NUMBERS and all(type(one) in (int, float) for one in value)
    else:
        fits = False
    if fits:
        try:
            return np.asarray(value, np.float64)
        except OverflowError:  # a whole number beyond any float
            pass
    raise InvalidArgument(f"{what} is not a row of 1 to {_MAX_NUMBERS} numbers.")
