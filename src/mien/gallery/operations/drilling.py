"""The restore drill: whether a backup or an archive would really bring the gallery back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mien import config
from mien.gallery.archive import inspect
from mien.gallery.gallery import Gallery
from mien.gallery.model import GalleryLimits
from mien.gallery.operations.checking import Check, check
from mien.gallery.operations.restoring import restore
from mien.gallery.protect import KeyRing, KeyWrapper, key_ring, new_key
from mien.gallery.records.restoring import sqlite_url
from mien.types import Result

__all__ = ["Drill", "drill"]

_TABLES = {"groups": "groups", "persons": "persons", "faces": "faces", "images": "face_images"}
_ADDED = {"audit": 1}  # the restore writes itself down
_LIMITS = GalleryLimits(
    groups_per_application=2**31, persons_per_group=2**53, faces_per_group=2**53
)


@dataclass(frozen=True, slots=True)
class Drill(Result):
    """How a drill went. ``bool(drill)``: the file brings everything back.

    Attributes:
        what: ``backup`` or ``archive``.
        created_at: when the file was made.
        counts: rows of each kind that the file holds.
        missing: kinds of which another number came back, and that number.
        check: the check of the gallery that it made.
    """

    what: str
    created_at: str
    counts: Mapping[str, int]
    missing: Mapping[str, int]
    check: Check

    def __bool__(self) -> bool:
        return not self.missing and bool(self.check)

    def to_dict(self) -> dict[str, Any]:
        """``{"ok", "what", "created_at", "counts", "missing", "check"}``."""
        return {
            "ok": bool(self),
            "what": self.what,
            "created_at": self.created_at,
            "counts": dict(self.counts),
            "missing": dict(self.missing),
            "check": self.check.to_dict(),
        }


def drill(
    opener: Callable[[], BinaryIO],
    *,
    key: KeyWrapper | None = None,
    url: str | None = None,
    samples: int = 100,
    folder: Path | None = None,
) -> Drill:
    """Restore a backup, or import an archive, into a gallery of its own, and check that one.

    Everything that the file holds must be there, every template must open and be sound, stored
    templates must find their own persons first, and the audit log must be as it was written.
    Galleries in use are not touched; the one that is made is deleted afterwards.

    Args:
        opener: opens the file, which is read twice.
        key: that opens the file; None: the master key of the settings, as for every backup.
        url: an empty database to do it in, which keeps the gallery; None: a file in a temporary
            folder, which is deleted.
        samples: templates of each group that are searched for.
        folder: where the temporary folder is made; None: where the system makes them.

    Raises:
        ArchiveUnusable: the file was cut off or changed, is of a newer Mien, or none.
        KeyMissing, KeyMismatch: the key does not open it.
        AlreadyExists: there is a gallery at ``url``.
        GalleryUnavailable: no space, or ``url`` cannot be used.
    """
    wrapper = key_ring(config.load(), create=False) if key is None else key
    with opener() as file:
        facts = inspect(file, key=wrapper)
    counts: dict[str, int] = facts["counts"]
    with tempfile.TemporaryDirectory(prefix="mien-drill-", dir=folder) as place:
        where = url or sqlite_url(Path(place) / "gallery.db")
        is_backup = facts["what"] == "backup"
        if is_backup:
            keys = wrapper
            with opener() as file:
                restore(file, where, keys=keys)
        else:  # one that stays needs a key that stays
            keys = KeyRing([new_key()]) if url is None else key_ring(config.load())
        with closing(Gallery.open(where, keys=keys, index="", limits=_LIMITS)) as made:
            if not is_backup:
                with opener() as file:
                    made.archive.load(file, key=wrapper)
            found = check(made, samples=samples)
    wanted = _wanted(counts, is_backup=is_backup)
    missing = {
        name: found.rows.get(name, 0)
        for name, count in wanted.items()
        if found.rows.get(name, 0) != count
    }
    return Drill(facts["what"], str(facts.get("created_at")), counts, missing, found)


def _wanted(counts: Mapping[str, int], *, is_backup: bool) -> dict[str, int]:
    """Rows that each table must have afterwards."""
    if not is_backup:
        return {table: counts.get(name, 0) for name, table in _TABLES.items()}
    return {
        name: count + _ADDED.get(name, 0) for name, count in counts.items() if name != "sequences"
    }
