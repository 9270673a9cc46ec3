"""What a group and the server ask of whoever is registered or searched, and the log of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from mien.answers import Candidate
from mien.engine import Engine, LivenessCheck, living
from mien.engine.lookalikes import lookalike
from mien.engine.noting import note_identification
from mien.gallery import Gallery, Group, GroupSettings
from mien.image import Photo
from mien.service.call import Call
from mien.service.dialects.azure.errors import AzureError
from mien.service.dialects.azure.fields import shown_id
from mien.service.dialects.azure.matching import SAME
from mien.types import Embeddings, Faces

__all__ = [
    "note_search",
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
    """See :func:`mien.engine.noting.note_identification`."""
    answered = [[one.person_id for one in candidates] for candidates in ranked]
    sure = [one.person_id for each in ranked for one in each if (one.confidence or 0.0) >= SAME]
    liveness = call.settings.liveness
    note_identification(call.settings, call.gallery, group, answered, sure, liveness=liveness)


def _own(engine: Engine) -> LivenessCheck:
    return living.asked(engine, None)
