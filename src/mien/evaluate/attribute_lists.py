"""The list that ``mien eval attributes`` reads: photos and what is known of each."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.analysis import EmotionName
from mien.errors import InvalidArgument
from mien.evaluate.lists import at_line, read_rows

__all__ = ["LABELS", "AttributeList", "read_attributes"]

LABELS = ("age", "gender", "emotion", "mask")
EMOTIONS = typing.get_args(EmotionName)
NO_MASK = "no-mask"


@dataclass(frozen=True, slots=True, eq=False)
class AttributeList:
    """Photos and their labels.

    Attributes:
        names: the photos, as the list spells them.
        labels: by attribute, one text a photo, ``""`` where it is not known.
        group: demographic label; ``""`` where it is not known.
    """

    names: tuple[str, ...]
    labels: Mapping[str, tuple[str, ...]]
    group: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def read_attributes(file: str | Path) -> AttributeList:
    """Read a CSV with the column ``path``, any of ``age,gender,emotion,mask``, and ``group``.

    ``age`` is a number of years, ``gender`` M or F, ``emotion`` one of the seven, ``mask``
    ``no-mask`` or any other word for a mask. An empty cell is a label that is not known.

    Raises:
        InvalidArgument: no such file, no column of labels, a label that cannot be, or a photo
            listed twice.
    """
    rows = read_rows(file, ("path",))
    columns = [name for name in LABELS if name in rows[0][1]]
    if not columns:
        raise InvalidArgument(
            f"{Path(file).name} has no labels: give it a column {', '.join(LABELS)}."
        )
    seen: set[str] = set()
    for line, row in rows:
        if row["path"] in seen:
            raise at_line(file, line, f"{row['path']} is listed twice")
        seen.add(row["path"])
        for name in columns:
            if row[name] and not _possible(name, row[name]):
                raise at_line(file, line, f"{name} cannot be {row[name]!r}")
    return AttributeList(
        names=tuple(row["path"] for _, row in rows),
        labels={name: tuple(row[name] for _, row in rows) for name in columns},
        group=tuple(row.get("group", "") for _, row in rows),
    )


def _possible(name: str, label: str) -> bool:
    if name == "gender":
        return label in ("M", "F")
    if name == "emotion":
        return label in EMOTIONS
    if name == "age":
        try:
            return 0 <= float(label) <= 130
        except ValueError:
            return False
    return True
