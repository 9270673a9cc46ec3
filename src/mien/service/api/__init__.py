"""The routes of ``/v1``, one module per noun."""

from __future__ import annotations

from fastapi import APIRouter

from mien.service.api import (
    analyze,
    archives,
    curation,
    faces,
    groups,
    inventory,
    jobs,
    liveness,
    liveness_sessions,
    persons,
    photos,
    pictures,
    privacy,
    reembedding,
    searches,
    status,
)

__all__ = ["routers"]


def routers() -> list[APIRouter]:
    """All routers of ``/v1``, in the order of the documentation."""
    return [
        photos.router,
        analyze.router,
        liveness.router,
        liveness_sessions.router,
        groups.router,
        persons.router,
        faces.router,
        pictures.router,
        curation.router,
        jobs.router,
        reembedding.router,
        searches.router,
        privacy.router,
        archives.router,
        inventory.router,
        status.router,
    ]
