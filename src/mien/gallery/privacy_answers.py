"""What privacy's methods answer: what was erased, what was purged, whether the log is whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mien.gallery.records.audit import Tampering
from mien.types import Result

__all__ = ["AuditCheck", "Erasure", "Purge"]


@dataclass(frozen=True, slots=True)
class Erasure(Result):
    """What was destroyed with a person.

    Attributes:
        person_id: who it was.
        faces: templates; images: crops and photos; consents: records of consent.
        groups: how many groups the person was in.
    """

    person_id: str
    faces: int
    images: int
    consents: int
    groups: int

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return {
            "person_id": self.person_id,
            "faces": self.faces,
            "images": self.images,
            "consents": self.consents,
            "groups": self.groups,
        }


@dataclass(frozen=True, slots=True)
class Purge(Result):
    """What a purge deleted: faces that were too old, and persons who were not seen for long."""

    faces: int
    persons: int

    def to_dict(self) -> dict[str, Any]:
        """``{"faces", "persons"}``."""
        return {"faces": self.faces, "persons": self.persons}


@dataclass(frozen=True, slots=True)
class AuditCheck(Result):
    """Whether the audit log is what was written. ``bool(check)``: it is.

    Attributes:
        entries: good ones, from the first on.
        head: hash of the last of them, in hexadecimal. Note it elsewhere: a log that was cut off
            at its end is only seen by whoever knows a later head.
        tampering: the first place where the log is wrong, or None.
    """

    entries: int
    head: str
    tampering: Tampering | None

    def __bool__(self) -> bool:
        return self.tampering is None

    def to_dict(self) -> dict[str, Any]:
        """``{"ok", "entries", "head", "at", "what"}``."""
        found = self.tampering
        return {
            "ok": found is None,
            "entries": self.entries,
            "head": self.head,
            "at": None if found is None else found.seq,
            "what": None if found is None else found.what,
        }
