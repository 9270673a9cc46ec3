"""The truth that detection is measured against: photos and where their faces are."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument

__all__ = ["TrueFaces", "read_truth"]


@dataclass(frozen=True, slots=True, eq=False)
class TrueFaces:
    """The faces of one photo, each marked by a box or by its nose.

    Attributes:
        name: the photo, as the list spells it.
        box_xyxy: ``(b, 4)`` pixels.
        nose: ``(p, 2)`` pixels.
    """

    name: str
    box_xyxy: NDArray[np.float64]
    nose: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.box_xyxy) + len(self.nose)


def read_truth(file: str | Path) -> list[TrueFaces]:
    """Read a JSON list of ``{"path", "faces": [{"box": [x, y, w, h]} or {"nose": [x, y]}]}``.

    Pixels of the upright photo; other keys are ignored. A photo without faces has an empty list.

    Raises:
        InvalidArgument: no such file, not such a list, a photo listed twice, or no face at all.
    """
    name = Path(file).name
    try:
        document = json.loads(Path(file).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InvalidArgument(f"There is no list {name}.") from None
    except (OSError, ValueError, RecursionError):
        raise InvalidArgument(f"{name} cannot be read: it must be JSON in UTF-8.") from None
    if not isinstance(document, list):
        raise InvalidArgument(f"{name} must be a list of photos.")
    photos = [_photo(entry, at=f"{name}, photo {i}") for i, entry in enumerate(document, 1)]
    names = [photo.name for photo in photos]
    for repeated in sorted({one for one in names if names.count(one) > 1}):
        raise InvalidArgument(f"{name}: {repeated} is listed twice.")
    if not any(len(photo) for photo in photos):
        raise InvalidArgument(f"{name} names no face: there is nothing to find.")
    return photos


def _photo(entry: object, *, at: str) -> TrueFaces:
    if not isinstance(entry, Mapping):
        raise InvalidArgument(f"{at}: it must be an object with path and faces.")
    path, faces = entry.get("path"), entry.get("faces")
    if not isinstance(path, str) or not path or not isinstance(faces, list):
        raise InvalidArgument(f"{at}: it needs path, a text, and faces, a list.")
    boxes, noses = [], []
    for face in faces:
        box = _numbers(face, "box", 4)
        nose = _numbers(face, "nose", 2)
        if box is not None and min(box[2:]) > 0:
            boxes.append([box[0], box[1], box[0] + box[2], box[1] + box[3]])
        elif box is None and nose is not None:
            noses.append(nose)
        else:
            raise InvalidArgument(
                f'{at}: a face is {{"box": [x, y, width, height]}} or {{"nose": [x, y]}}.'
            )
    return TrueFaces(path, np.array(boxes).reshape(-1, 4), np.array(noses).reshape(-1, 2))


def _numbers(face: object, key: str, count: int) -> list[float] | None:
    """The ``count`` numbers under ``key``; None where there are none."""
    values = face.get(key) if isinstance(face, Mapping) else None
    if not isinstance(values, list) or len(values) != count:
        return None
    plain = all(type(value) in (int, float) and math.isfinite(value) for value in values)
    return [float(value) for value in values] if plain else None
