"""The shapes of the other answers: changes, privacy, searches, models and usage."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from mien.client.shapes import (
    Answered,
    ErrorBody,
    IdentifiedFace,
    MatchCandidate,
    Page,
    PersonShape,
    RejectedPhoto,
)

__all__ = [
    "AlbumAnswer",
    "AlbumFaceShape",
    "AlbumPersonShape",
    "ArchiveAnswer",
    "AuditCheckAnswer",
    "AuditEntryShape",
    "AuditPage",
    "CalibrationShape",
    "CallsShape",
    "ChangeAnswer",
    "ChangePage",
    "ChangeShape",
    "ConsentAnswer",
    "ConsentList",
    "ConsentShape",
    "Decided",
    "ErasureAnswer",
    "ExportAnswer",
    "FaceSearchAnswer",
    "FindingShape",
    "FindingsAnswer",
    "IdentificationsAnswer",
    "ModelShape",
    "ModelsAnswer",
    "OperatingPointShape",
    "PersonResult",
    "PersonsAnswer",
    "PhotoIdentification",
    "ProbeResult",
    "PurgeAnswer",
    "StorageShape",
    "TemplateSearchAnswer",
    "UsageAnswer",
]


class ChangeShape(TypedDict):
    """A change that can be undone, or was."""

    id: str
    group: str
    kind: str
    at: str
    undone_at: str | None
    persons: list[str]


class ChangeAnswer(ChangeShape, Answered):
    """A change that was undone."""


class ChangePage(Page):
    """Changes of a group, newest first."""

    changes: list[ChangeShape]


class ConsentShape(TypedDict):
    """A consent, and what became of it."""

    id: str
    person_id: str
    group: str | None
    purpose: str
    text_version: str
    language: str
    evidence: str | None
    given_at: str
    expires_at: str | None
    withdrawn_at: str | None


class ConsentAnswer(ConsentShape, Answered):
    """A consent."""


class ConsentList(Answered):
    """All consents of a person, oldest first, those that ended too."""

    consents: list[ConsentShape]


class ErasureAnswer(Answered):
    """What was destroyed with a person."""

    person_id: str
    faces: int
    images: int
    consents: int
    groups: int


class PurgeAnswer(Answered):
    """What retention no longer allowed, and is deleted."""

    faces: int
    persons: int


class AuditEntryShape(TypedDict):
    """Who did what; no names, images or vectors of persons."""

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    hash: str
    application: str | None


class AuditPage(Answered):
    """Entries of the application's audit log, oldest first."""

    next: int | None
    entries: list[AuditEntryShape]


class AuditCheckAnswer(Answered):
    """Whether the audit log is what was written."""

    ok: bool
    entries: int
    head: str
    at: int | None
    what: str | None


class ExportAnswer(Answered):
    """All that is kept of a person, templates and images too."""

    person: dict[str, Any]
    groups: list[dict[str, Any]]
    faces: list[dict[str, Any]]
    images: list[dict[str, Any]]
    consents: list[dict[str, Any]]
    notes: list[dict[str, Any]]
    log: list[AuditEntryShape]


class Decided(TypedDict):
    """What was searched, and at what threshold."""

    decided_on: Literal["confidence", "similarity"]
    threshold: float
    fpir: float | None
    extrapolated: bool
    gallery_size: int


class FaceSearchAnswer(Decided, Answered):
    """Whom an enrolled face is like; nobody: no candidates."""

    candidates: list[MatchCandidate]


class TemplateSearchAnswer(Decided, Answered):
    """Whom each template is like, in the order of the request."""

    candidates: list[list[MatchCandidate]]


class PhotoIdentification(Decided):
    """Who is in a photo."""

    width: int
    height: int
    faces: list[IdentifiedFace]


class ProbeResult(TypedDict):
    """What became of one probe: an identification or an error, never both."""

    image: str
    identification: PhotoIdentification | None
    error: ErrorBody | None


class IdentificationsAnswer(Answered):
    """What became of each probe, in the order of the request."""

    results: list[ProbeResult]


class PersonResult(TypedDict):
    """What became of one person: made, or an error."""

    name: str
    person: PersonShape | None
    error: ErrorBody | None


class PersonsAnswer(Answered):
    """What became of each person, in the order of the request."""

    created: int
    results: list[PersonResult]


class AlbumFaceShape(TypedDict):
    """A face in one of the photos."""

    image: str
    box: list[float]
    norm: float


class AlbumPersonShape(TypedDict):
    """All faces that were put together; never two of one photo."""

    name: str
    faces: list[AlbumFaceShape]


class AlbumAnswer(Answered):
    """Photos sorted by who is in them."""

    photos: int
    persons: list[AlbumPersonShape]
    rejected: list[RejectedPhoto]
    threshold: float
    embedder: str


class FindingShape(TypedDict):
    """A photo that shows the person."""

    image: str
    box: list[float]
    similarity: float
    confidence: float | None


class FindingsAnswer(Answered):
    """The photos that show a person, the surest first."""

    found: list[FindingShape]
    photos: int
    faces: int
    rejected: list[RejectedPhoto]
    decided_on: Literal["confidence", "similarity"]
    threshold: float
    fmr: float | None
    embedder: str
    detector: str


class OperatingPointShape(TypedDict):
    """A measured operating point of a recognition model."""

    fmr: float
    similarity: float
    fnmr: float


class CalibrationShape(TypedDict):
    """What a model's confidence rests on."""

    data: str
    default_fmr: float
    fmr_floor: float
    impostor_pairs: int
    genuine_pairs: int
    points: list[OperatingPointShape]


class ModelShape(TypedDict):
    """A model of the catalogue."""

    name: str
    task: Literal["detect", "embed", "landmarks", "attributes", "liveness"]
    title: str
    licence: str
    commercial: bool
    needs_acceptance: bool
    available: bool
    in_use: bool
    origin: str
    paper: str
    calibration: CalibrationShape | None


class ModelsAnswer(Answered):
    """The catalogue."""

    models: list[ModelShape]


class StorageShape(TypedDict):
    """Bytes in the database, without its own overhead."""

    templates: int
    images: int
    total: int


class CallsShape(TypedDict):
    """Requests of one UTC day by the tag of their route."""

    day: str
    calls: dict[str, int]


class UsageAnswer(Answered):
    """What the application holds, and what it asked for."""

    groups: int
    persons: int
    faces: int
    images: int
    consents: int
    jobs: int
    storage_bytes: StorageShape
    calls: list[CallsShape]


class ArchiveAnswer(Answered):
    """What an import did."""

    groups: dict[str, str]
    persons: int
    faces: int
    images: int
    consents: int
    skipped_persons: int
    skipped_faces: int
    erased_persons: int
    erased_faces: int
    withdrawn_consents: int
    external_ids_left_out: int
