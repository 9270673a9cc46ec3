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
from mien.service.dialects.azure.matching import SAME
from mien.types import Embeddings, Faces

__all__ = [
    "note_search",
    "note_verification",
    "refuse_lookalike",
    "refuse_spoof",
    "searchable",
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


def searchable(call: Call, group: str) -> Group:
    """A group that is to be searched by faceId, which must not ask more than detection asked.

    A faceId has no photo any more, so what the group enforces can only have been looked at when
    the face was detected: when the server enforces it too.

    Raises:
        AzureError: 403 UnsupportedFeature.
        NotFound: no such group.
    """
    found, own = call.gallery.group(group), _own(call.engine)
    wanted = own.at_least(found.settings)
    if wanted.enforces and wanted != own:
        raise AzureError(
            403,
            "UnsupportedFeature",
            "The group enforces liveness, which a faceId shows only where the server enforces it "
            "in every detection.",
        )
    return found


def note_search(call: Call, group: Group, ranked: Sequence[Sequence[Candidate]]) -> None:
    """Write a search to the audit log, if the server keeps one, and who was recognised."""
    if call.settings.audit_searches == "on":
        found = [[one.person_id for one in candidates] for candidates in ranked]
        liveness = call.settings.liveness
        call.gallery.privacy.record_identification(group.name, found, liveness=liveness)
    sure = [one for each in ranked for one in each if (one.confidence or 0.0) >= SAME]
    _seen(call, group, [one.person_id for one in sure])


def note_verification(call: Call, group: Group, person: str, *, match: bool) -> None:
    """Write a comparison with a person down, likewise."""
    if call.settings.audit_searches == "on":
        call.gallery.privacy.record_verification(group.name, person, match=match)
    _seen(call, group, [person] if match else [])


def _seen(call: Call, group: Group, persons: list[str]) -> None:
    """Whoever is recognised stays in a group that lets go of those who are not seen for long."""
    if persons and group.settings.retain_idle_s is not None:
        call.gallery.privacy.seen(persons)


def _own(engine: Engine) -> LivenessCheck:
    return living.asked(engine, None)
