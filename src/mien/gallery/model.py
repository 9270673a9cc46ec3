"""What a gallery holds, as its callers see it: applications, groups, persons, faces, keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from mien.gallery.ledger import AuditEntry, Consent, Job, UndoEntry
from mien.gallery.policy import DEFAULT_SETTINGS, GroupSettings
from mien.types import Box, EmbeddingContract, Result

__all__ = [
    "DEFAULT_APPLICATION",
    "DEFAULT_SCOPES",
    "LIBRARY",
    "ApiKey",
    "Application",
    "AuditEntry",
    "Consent",
    "GalleryLimits",
    "Group",
    "GroupSettings",
    "Hit",
    "Job",
    "Person",
    "Scope",
    "Scoring",
    "StoredFace",
    "UndoEntry",
]

Scoring = Literal["max", "mean"]
"""A person's similarity: of the best face, or of the normalised mean of all faces."""

LIBRARY = "library"
"""Who acts where nobody is named: a program that uses Mien as a library."""

DEFAULT_APPLICATION = "default"
"""Name of the application that every gallery has from its first opening."""


class Scope(StrEnum):
    """What an API key may do.

    ``DETECT``: everything that keeps nothing (detect, compare, represent). ``GALLERY_READ``: list
    groups, persons and faces, identify and verify. ``GALLERY_WRITE``: create, enrol and delete.
    ``ADMIN``: manage applications and keys; a key has it only when it was asked for.
    """

    DETECT = "detect"
    GALLERY_READ = "gallery:read"
    GALLERY_WRITE = "gallery:write"
    ADMIN = "admin"


DEFAULT_SCOPES = frozenset({Scope.DETECT, Scope.GALLERY_READ, Scope.GALLERY_WRITE})
"""What a key may do unless it is told otherwise: everything inside its own application."""


ROLES: Mapping[str, frozenset[Scope]] = {
    "detector": frozenset({Scope.DETECT}),
    "reader": frozenset({Scope.DETECT, Scope.GALLERY_READ}),
    "operator": DEFAULT_SCOPES,
    "admin": frozenset(Scope),
}
"""Names for sets of scopes that belong together. A key keeps the scopes, not the name."""

RESTRICTED_ATTRIBUTES = ("age", "gender", "emotion", "race")
"""What the service says of a face only to applications that have been allowed it by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryLimits:
    """Quotas, checked inside the transaction that would exceed them.

    Attributes:
        groups_per_application: at most this many groups in one application.
        persons_per_group: at most this many members of one group.
        faces_per_group: at most this many faces in one group.
        user_data_bytes: at most this long is the user data of a group, person or face in UTF-8.
        undo_per_group: so many changes of a group can be undone, and older ones are forgotten.
        image_bytes: at most this long is an image that is kept with a face.
    """

    groups_per_application: int = 10_000
    persons_per_group: int = 1_000_000
    faces_per_group: int = 1_000_000
    user_data_bytes: int = 16_384
    undo_per_group: int = 100
    image_bytes: int = 100_000_000


@dataclass(frozen=True, slots=True)
class Application(Result):
    """A tenant: its groups and keys are invisible to every other.

    Attributes:
        id: 32 hexadecimal digits, random, so that it cannot be guessed.
        name: unique in the gallery.
        created_at: UTC.
        attributes: of :data:`RESTRICTED_ATTRIBUTES` those that the service answers it.
        nhn_v1: its id alone, without a key, opens version 1.0 of the NHN dialect.
    """

    id: str
    name: str
    created_at: datetime
    attributes: frozenset[str] = frozenset()
    nhn_v1: bool = False

    def to_dict(self) -> dict[str, Any]:
        """``{"id", "name", "created_at", "attributes", "nhn_v1"}``; attributes sorted."""
        return {
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at.isoformat(),
            "attributes": sorted(self.attributes),
            "nhn_v1": self.nhn_v1,
        }


@dataclass(frozen=True, slots=True)
class ApiKey(Result):
    """An API key without its secret, which is shown once and never stored.

    Attributes:
        id: public part of the key; it names the key in lists and logs.
        application: name of the application that the key belongs to.
        scopes: what it may do.
        created_at, expires_at, revoked_at: UTC; None: never.
        last_used_at: UTC, exact to a minute; None: not used yet.
    """

    id: str
    application: str
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether the key may do this."""
        return scope in self.scopes

    def to_dict(self) -> dict[str, Any]:
        """All attributes; scopes as a sorted list, times as ISO 8601 or None."""
        times = ("created_at", "expires_at", "revoked_at", "last_used_at")
        return {
            "id": self.id,
            "application": self.application,
            "scopes": sorted(self.scopes),
            **{name: _iso(getattr(self, name)) for name in times},
        }


@dataclass(frozen=True, slots=True)
class Group(Result):
    """A set of persons that probes are searched in.

    Attributes:
        name: unique in the application.
        contract: the only embeddings that the group takes.
        scoring: how a person's similarity comes from the faces.
        persons, faces: how many it holds, the anonymous persons too.
        created_at: UTC.
        settings: its limits and policies.
        user_data: what the caller wants to keep with it, or None.
    """

    name: str
    contract: EmbeddingContract
    scoring: Scoring
    persons: int
    faces: int
    created_at: datetime
    settings: GroupSettings = DEFAULT_SETTINGS
    user_data: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """All attributes; the time as ISO 8601."""
        return {
            "name": self.name,
            "contract": str(self.contract),
            "scoring": self.scoring,
            "persons": self.persons,
            "faces": self.faces,
            "created_at": self.created_at.isoformat(),
            "settings": self.settings.to_dict(),
            "user_data": self.user_data,
        }


@dataclass(frozen=True, slots=True)
class Person(Result):
    """A member of a group.

    Attributes:
        id: 32 hexadecimal digits, unique in the gallery, the same in every group.
        name: unique in the group.
        faces: how many faces the person has under the group's contract.
        created_at: UTC.
        anonymous: made for a face that was registered without a person.
        user_data: what the caller wants to keep with the person, or None.
        external_id: the caller's own number for the person, unique in the application, or None.
        last_seen_at: UTC, when the person was last enrolled, verified or identified, or None.
    """

    id: str
    name: str
    faces: int
    created_at: datetime
    anonymous: bool = False
    user_data: str | None = None
    external_id: str | None = None
    last_seen_at: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """All attributes; times as ISO 8601 or None."""
        return {
            "id": self.id,
            "name": self.name,
            "faces": self.faces,
            "created_at": self.created_at.isoformat(),
            "anonymous": self.anonymous,
            "user_data": self.user_data,
            "external_id": self.external_id,
            "last_seen_at": _iso(self.last_seen_at),
        }


@dataclass(frozen=True, slots=True)
class StoredFace(Result):
    """A registered face, without its template.

    Attributes:
        id: 32 hexadecimal digits; ids grow with the time of registration.
        person: name of the person in the group; person_id: the person's id.
        contract: of the template.
        norm: length of the template before normalisation, or None.
        source_sha256: hash of the photo that it came from, or None.
        box: where it is in that photo, pixels, or None.
        created_at: UTC.
        external_image_id: the caller's own number for the photo, or None.
        user_data: what the caller wants to keep with the face, or None.
        quality: of the photo when it was enrolled, 0 to 1, or None.
    """

    id: str
    person: str
    person_id: str
    contract: EmbeddingContract
    norm: float | None
    source_sha256: str | None
    box: Box | None
    created_at: datetime
    external_image_id: str | None = None
    user_data: str | None = None
    quality: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """All attributes but the contract; the time as ISO 8601, the box as a list."""
        return {
            "id": self.id,
            "person": self.person,
            "person_id": self.person_id,
            "norm": self.norm,
            "source_sha256": self.source_sha256,
            "box": None if self.box is None else self.box.to_list(),
            "created_at": self.created_at.isoformat(),
            "external_image_id": self.external_image_id,
            "user_data": self.user_data,
            "quality": self.quality,
        }


@dataclass(frozen=True, slots=True)
class Hit(Result):
    """A person that a probe is like.

    Attributes:
        person: name in the group; person_id: the id.
        face_id: the most similar face; None where the group scores by the mean template.
        similarity: of the model, higher is more alike.
        norm: of that face, or the mean of the person's norms; None where it is not known.
    """

    person: str
    person_id: str
    face_id: str | None
    similarity: float
    norm: float | None

    def to_dict(self) -> dict[str, Any]:
        """``{"person", "person_id", "face_id", "similarity", "norm"}``."""
        return {
            "person": self.person,
            "person_id": self.person_id,
            "face_id": self.face_id,
            "similarity": self.similarity,
            "norm": self.norm,
        }


def sorted_scopes(scopes: Iterable[Scope]) -> str:
    """Scopes as they are stored: sorted, one space between."""
    return " ".join(sorted(scopes))


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
