"""What a group and the server ask of whoever is registered or searched: liveness, and the log."""

from __future__ import annotations

from collections.abc import Sequence

from mien.answers import Candidate
from mien.engine import Engine, LivenessCheck, living
from mien.gallery import GroupSettings
from mien.image import Photo
from mien.service.call import Call
from mien.service.dialects.azure.errors import AzureError
from mien.types import Faces

__all__ = ["log_search", "log_verification", "refuse_spoof", "refuse_unseen"]


def refuse_spoof(
    engine: Engine, photo: Photo, face: Faces, asked: GroupSettings | None = None
) -> None:
    """Look whether a face is live, if the server or the group asks for that.

    Raises:
        SpoofSuspected: it is not taken for live, and that is enforced.
    """
    check = _own(engine)
    if asked is not None:
        check = check.at_least(asked)
    if check.looks:
        living.refuse(check, living.verdicts(engine, photo, face, check))


def refuse_unseen(call: Call, group: str) -> None:
    """Refuse to search a group that asks more of a face than detection asked.

    A faceId has no photo any more, so what the group enforces can only have been looked at when
    the face was detected: when the server enforces it too.

    Raises:
        AzureError: 403 UnsupportedFeature.
    """
    own = _own(call.engine)
    wanted = own.at_least(call.gallery.group(group).settings)
    if wanted.enforces and wanted != own:
        raise AzureError(
            403,
            "UnsupportedFeature",
            "The group enforces liveness, which a faceId shows only where the server enforces it "
            "in every detection.",
        )


def log_search(call: Call, group: str, ranked: Sequence[Sequence[Candidate]]) -> None:
    """Write a search to the audit log, if the server keeps one of searches."""
    if call.settings.audit_searches == "on":
        found = [[one.person_id for one in candidates] for candidates in ranked]
        liveness = call.settings.liveness
        call.gallery.privacy.record_identification(group, found, liveness=liveness)


def log_verification(call: Call, group: str, person: str, *, match: bool) -> None:
    """Write a comparison with a person to the audit log, likewise."""
    if call.settings.audit_searches == "on":
        call.gallery.privacy.record_verification(group, person, match=match)


def _own(engine: Engine) -> LivenessCheck:
    return living.asked(engine, None)
