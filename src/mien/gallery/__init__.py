"""The gallery: groups, persons and faces, kept in SQL and searched in memory.

It keeps and finds embeddings and never sees a photo: :class:`mien.Engine` enrols and identifies.
"""

from mien.gallery.curation import KEEP
from mien.gallery.gallery import Gallery
from mien.gallery.model import (
    DEFAULT_APPLICATION,
    DEFAULT_SCOPES,
    RESTRICTED_ATTRIBUTES,
    ROLES,
    ApiKey,
    Application,
    AuditEntry,
    Consent,
    GalleryLimits,
    Group,
    GroupSettings,
    Hit,
    Job,
    Person,
    Scope,
    Scoring,
    StoredFace,
    UndoEntry,
)
from mien.gallery.policy import FaceImage
from mien.gallery.records.vectors import mean_template

__all__ = [
    "DEFAULT_APPLICATION",
    "DEFAULT_SCOPES",
    "KEEP",
    "RESTRICTED_ATTRIBUTES",
    "ROLES",
    "ApiKey",
    "Application",
    "AuditEntry",
    "Consent",
    "FaceImage",
    "Gallery",
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
    "mean_template",
]
