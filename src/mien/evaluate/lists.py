"""The lists that an evaluation reads: pairs of photos, and photos of known people."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import ImageNotFound, InvalidArgument

__all__ = [
    "FaceList",
    "PairList",
    "at_line",
    "check_files",
    "read_faces",
    "read_pairs",
    "read_rows",
]

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """Pairs of photos, each labelled as one person or two.

    Attributes:
        names: every photo once, as the list spells it.
        a, b: ``(n,)`` indices into ``names``.
        same: ``(n,)`` bool.
        fold: ``(n,)`` fold labels, or None where the list has no such column.
    """

    names: tuple[str, ...]
    a: Index
    b: Index
    same: NDArray[np.bool_]
    fold: tuple[str, ...] | None

    def __len__(self) -> int:
        return len(self.same)


@dataclass(frozen=True, slots=True, eq=False)
class FaceList:
    """Photos of known people, one face each (the subject's).

    Attributes:
        names: the photos, as the list spells them.
        identity: whose face it is.
        fold: which part of the people it belongs to, or None where the list has no such column.
        dataset: the set it comes from; ``""`` where the list does not say.
        group: demographic label; ``""`` where it is not known.
    """

    names: tuple[str, ...]
    identity: tuple[str, ...]
    fold: tuple[str, ...] | None
    dataset: tuple[str, ...]
    group: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def read_pairs(file: str | Path) -> PairList:
    """Read a CSV with the columns ``a,b,same`` (0 or 1) and optionally ``fold``.

    Raises:
        InvalidArgument: no such file, a missing column, an empty cell, ``same`` neither 0 nor 1,
            or not both kinds of pair.
    """
    rows = read_rows(file, ("a", "b", "same"))
    for line, row in rows:
        if row["same"] not in ("0", "1"):
            raise at_line(file, line, f"same must be 0 or 1, not {row['same']!r}")
        if row.get("fold") == "":
            raise at_line(file, line, "fold is empty")
    same = np.array([row["same"] == "1" for _, row in rows])
    if same.all() or not same.any():
        raise InvalidArgument(f"{Path(file).name} needs pairs of both kinds: same 0 and same 1.")
    names = dict.fromkeys(row[side] for _, row in rows for side in ("a", "b"))
    place = {name: index for index, name in enumerate(names)}
    return PairList(
        names=tuple(names),
        a=np.array([place[row["a"]] for _, row in rows], np.intp),
        b=np.array([place[row["b"]] for _, row in rows], np.intp),
        same=same,
        fold=_column(rows, "fold"),
    )


def read_faces(file: str | Path) -> FaceList:
    """Read a CSV with the columns ``path,id`` and optionally ``fold,set,group``.

    Raises:
        InvalidArgument: no such file, a missing column, an empty cell in ``path``, ``id`` or
            ``fold``, a photo listed twice, or a person in two folds.
    """
    rows = read_rows(file, ("path", "id"))
    seen: set[str] = set()
    fold_of: dict[str, str] = {}
    for line, row in rows:
        if row["path"] in seen:
            raise at_line(file, line, f"{row['path']} is listed twice")
        seen.add(row["path"])
        if row.get("fold") == "":
            raise at_line(file, line, "fold is empty")
        if fold_of.setdefault(row["id"], row.get("fold", "")) != row.get("fold", ""):
            raise at_line(file, line, f"{row['id']} is in two folds")
    return FaceList(
        names=tuple(row["path"] for _, row in rows),
        identity=tuple(row["id"] for _, row in rows),
        fold=_column(rows, "fold"),
        dataset=_column(rows, "set") or ("",) * len(rows),
        group=_column(rows, "group") or ("",) * len(rows),
    )


def check_files(names: Sequence[str], root: str | Path) -> list[Path]:
    """The paths of ``names`` under ``root``.

    Raises:
        ImageNotFound: some are missing; the message counts them and names the first.
    """
    paths = [Path(root) / name for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if not path.is_file()]
    if missing:
        raise ImageNotFound(
            f"{len(missing)} of the {len(names)} listed images are not under the root folder; "
            f"the first is {Path(missing[0]).name}. Paths in the list are relative to --root."
        )
    return paths


def read_rows(file: str | Path, columns: Iterable[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with their line numbers; ``columns`` are there and never empty.

    Raises:
        InvalidArgument: no such file, not CSV, a missing column, no row, or an empty cell.
    """
    name = Path(file).name
    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, restval="", restkey="")
            header = [field.strip() for field in reader.fieldnames or ()]
            reader.fieldnames = header
            rows = [(reader.line_num, _stripped(row, header)) for row in reader]
    except FileNotFoundError:
        raise InvalidArgument(f"There is no list {name}.") from None
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InvalidArgument(f"{name} cannot be read: it must be a CSV file in UTF-8.") from None
    missing = [column for column in columns if column not in header]
    if missing:
        raise InvalidArgument(f"{name} lacks the column {', '.join(missing)}.")
    if not rows:
        raise InvalidArgument(f"{name} is empty.")
    for line, row in rows:
        for column in columns:
            if not row[column]:
                raise at_line(file, line, f"{column} is empty")
    return rows


def _stripped(row: dict[str, str], header: Sequence[str]) -> dict[str, str]:
    return {field: row[field].strip() for field in header}


def _column(rows: list[tuple[int, dict[str, str]]], name: str) -> tuple[str, ...] | None:
    return tuple(row[name] for _, row in rows) if name in rows[0][1] else None


def at_line(file: str | Path, line: int, what: str) -> InvalidArgument:
    """The error for what is wrong in a line of a list."""
    return InvalidArgument(f"{Path(file).name}, line {line}: {what}.")
