"""Session images: one frame of a liveness session, for dialects whose clients may ask for it.

Nothing is kept unless the session was made so. It is the frame that the face looks most straight
out of, as the device sent it; it is sealed, bounded in number, and goes with its session or when
results are no longer kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mien.config import Settings
from mien.gallery import Gallery

__all__ = ["KEEPS", "find", "forget", "keep"]

KEEPS = "keeps_image"
"""Member of a session's stored plan: an image is kept."""

_KIND = "session.image"


def keep(
    gallery: Gallery,
    session: str,
    portrait: Mapping[str, Any] | None,
    frames: Sequence[bytes],
    *,
    before: int,
    settings: Settings,
) -> None:
    """Keep the session's image if it is among the frames that have just come.

    Args:
        gallery: of the session's application.
        session: its id.
        portrait: what :func:`mien.challenge.portrait` says of all frames so far.
        frames: those that came with this request, encoded; before: how many came earlier.
        settings: how many are kept, and for how long.
    """
    place = -1 if portrait is None else portrait["frame"] - before
    if not 0 <= place < len(frames) or not settings.session_images:
        return
    gallery.annex.forget(_KIND, session)
    gallery.annex.keep(
        _KIND,
        {session: frames[place]},
        seconds=3600 * settings.session_keep_hours,
        limit=settings.session_images,
    )


def find(gallery: Gallery, session: str) -> bytes | None:
    """The image of a session; None: there is none, or none any more."""
    return gallery.annex.kept(_KIND, [session]).get(session)


def forget(gallery: Gallery, session: str) -> None:
    """Delete a session's image, if there is one."""
    gallery.annex.forget(_KIND, session)
