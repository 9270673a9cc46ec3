"""Noting: whom a search answered, for the audit log; who was recognised, for retention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mien.config import Settings
from mien.gallery import Gallery, Group

__all__ = ["note_identification", "note_verification"]


def note_identification(
    settings: Settings,
    gallery: Gallery,
    group: Group,
    answered: Sequence[Sequence[str]],
    recognised: Iterable[str],
    *,
    liveness: str = "off",
) -> None:
    """Write a search to the audit log, where the settings want that, and who was recognised.

    Whoever is recognised stays in a group that lets go of those who are not seen for long
    (``retain_idle_s``).

    Args:
        settings: ``audit_searches``.
        gallery, group: where was searched.
        answered: for each face the ids of the persons that were answered, best first.
        recognised: ids of the persons whom the faces are taken for.
        liveness: the policy that the search followed.

    Raises:
        GalleryUnavailable: it could not be written.
    """
    if settings.audit_searches == "on":
        gallery.privacy.record_identification(group.name, answered, liveness=liveness)
    seen(gallery, group, recognised)


def note_verification(
    settings: Settings, gallery: Gallery, group: Group, person: str, *, match: bool
) -> None:
    """Write a comparison with a person down, likewise.

    Args:
        settings, gallery, group: as for :func:`note_identification`.
        person: name or id.
        match: whether it is that person.

    Raises:
        NotFound: there is no such person any more.
        GalleryUnavailable: it could not be written.
    """
    if settings.audit_searches == "on":
        gallery.privacy.record_verification(group.name, person, match=match)
    if match and group.settings.retain_idle_s is not None:
        seen(gallery, group, [gallery.person(group.name, person).id])


def seen(gallery: Gallery, group: Group, persons: Iterable[str]) -> None:
    """Note that persons (their ids) were recognised, where the group's retention counts that."""
    if group.settings.retain_idle_s is not None:
        ids = list(dict.fromkeys(persons))
        if ids:
            gallery.privacy.seen(ids)
