"""The list that ``mien eval attributes`` reads: photos and what is known of each."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.analysis import EmotionName
from mien.errors import InvalidArgument
from mien.evaluate.lists import at_line, read_rows

__all__ = ["LABELS", "YES_OR_NO", "AttributeList", "YesOrNo", "read_attributes"]


@dataclass(frozen=True, slots=True)
class YesOrNo:
    """A column whose labels say whether something is so.

    Attributes:
        action: the attribute that answers it.
        yes, no: the labels; ``yes`` empty: any other word than ``no``.
        parts: where the attribute's answer has parts, those whose mean score counts.
    """

    action: str
    yes: str
    no: str
    parts: tuple[str, ...] = ()

    def is_label(self, text: str) -> bool:
        """Whether ``text`` can stand in the column."""
        return text == self.no or (not self.yes or text == self.yes)


YES_OR_NO: Mapping[str, YesOrNo] = {
    "mask": YesOrNo("mask", "", "no-mask"),
    "glasses": YesOrNo("glasses", "yes", "no"),
    "eyes": YesOrNo("eyes", "open", "closed", ("left", "right")),
    "mouth": YesOrNo("mouth", "open", "closed"),
    "smile": YesOrNo("smile", "yes", "no"),
    "eyes_covered": YesOrNo("occlusion", "yes", "no", ("eyes",)),
    "mouth_covered": YesOrNo("occlusion", "yes", "no", ("mouth",)),
    "forehead_covered": YesOrNo("occlusion", "yes", "no", ("forehead",)),
}
"""Columns that are answered by yes or no."""

LABELS = ("age", "gender", "emotion", *YES_OR_NO)
EMOTIONS = typing.get_args(EmotionName)


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
    """Read a CSV with the column ``path``, any of :data:`LABELS`, and ``group``.

    ``age`` is a number of years, ``gender`` M or F, ``emotion`` one of the seven, the others as
    :data:`YES_OR_NO` says. An empty cell is a label that is not known.

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
    if name in YES_OR_NO:
        return YES_OR_NO[name].is_label(label)
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
