"""What most of DeepFace's functions have in common, checked once."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

from mien.align.cropping import MAX_EXPAND_PERCENTAGE
from mien.align.normalisation import Normalisation, check_mode
from mien.compat.deepface.exceptions import DataTypeError, error
from mien.errors import InvalidArgument

__all__ = ["Options"]

_LOG = logging.getLogger("mien.compat.deepface")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How faces are found, cut out and embedded.

    Attributes:
        model_name: of the recognition model, DeepFace's or Mien's; None: the settings' own.
        detector_backend: of the detector, likewise.
        enforce_detection: a photo without a face is an error; False: it is taken whole for one.
        align: turn the face upright.
        expand_percentage: how much larger the crop is than the face, 0 to 400.
        normalization: None: the model's own preprocessing; a name: DeepFace's whole pipeline
            with this mode.
        anti_spoofing: refuse faces that are not live ones.

    Raises:
        InvalidArgument: a value that cannot be.
    """

    model_name: str | None = None
    detector_backend: str | None = None
    enforce_detection: bool = True
    align: bool = True
    expand_percentage: int = 0
    normalization: str | None = None
    anti_spoofing: bool = False
    mode: Normalisation | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        for name in ("enforce_detection", "align", "anti_spoofing"):
            object.__setattr__(self, name, _flag(getattr(self, name), name))
        object.__setattr__(self, "expand_percentage", _percentage(self.expand_percentage))
        if self.normalization is not None:
            check_mode(self.normalization)
            object.__setattr__(self, "mode", self.normalization)


def _flag(value: Any, name: str) -> bool:  # noqa: ANN401 - whatever a caller gives
    # "false" is a true string: taking it for True has let faceless photos through elsewhere.
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise error(InvalidArgument, DataTypeError, f"{name} is True or False, not {value!r}.")


def _percentage(value: Any) -> int:  # noqa: ANN401
    try:
        percentage = int(value)
    except (TypeError, ValueError, OverflowError):
        raise error(
            InvalidArgument, DataTypeError, f"expand_percentage is a number, not {value!r}."
        ) from None
    if percentage < 0:
        _LOG.warning("expand_percentage cannot be negative: 0 is taken instead of %d.", percentage)
        return 0
    if percentage > MAX_EXPAND_PERCENTAGE:
        raise InvalidArgument(
            f"expand_percentage is at most {MAX_EXPAND_PERCENTAGE}, not {percentage}."
        )
    return percentage
