"""What a group and the server ask of whoever is registered or searched, and the log of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from mien.answers import Candidate
from mien.engine import Engine, LivenessCheck, living
from mien.engine.lookalikes import lookalike
from mien.gallery import Gallery, Group, GroupSettings
from mien.image import Photo
from mien.service.call import Call
from mien.service.dialects.azure.errors import AzureError
from mien.service.dialects.azure.fields import shown_id
from mien.types import Embeddings, Faces

__all__ = [
    "log_search",
    "log_verification",
    "refuse_lookalike",
    "refuse_spoof",
    "refuse_unseen",
]


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


def refuse_lookalike(
    engine: Engine, gallery: Gallery, group: Group, person: str | None, embeddings: Embeddings
) -> None:
    """Refuse a face that looks like somebody else of a group that wants nobody twice.

    Args:
        engine: it made the template, and its calibration decides.
        gallery, group: where it is to be registered.
        person: id of whose it is said to be; None: of a face list, where everybody is somebody
            else.
        embeddings: of the one face.

    Raises:
        AzureError: 400 InvalidImage.
    """
    if group.settings.duplicates != "refuse":
        return
    own, contract = person or uuid.uuid4().hex, engine.embedder.contract
    hit = lookalike(engine, gallery, group, own, embeddings, contract)
    if hit is not None:
        who = "a face" if person is None else f"the person {shown_id(hit.person_id)}"
        raise AzureError(
            400, "InvalidImage", f"The face looks like {who} of this group, who may not be twice."
        )


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
