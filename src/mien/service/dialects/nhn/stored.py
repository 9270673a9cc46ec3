"""Stored faces as NHN answers them, and the facts of their photo that are kept for that.

Each face is registered without a person. Its photo's id, size and the detector's confidence are
kept as the face's user data, since the gallery itself has no place for them.
"""

from __future__ import annotations

import json
import secrets
import time
import uuid
from typing import Any

from mien.gallery import Gallery, StoredFace
from mien.service.dialects.nhn.codes import Refused, Result
from mien.service.dialects.nhn.looking import Look, confidence_of, normalised

__all__ = [
    "answered",
    "face_in",
    "facts_of",
    "image_id_of",
    "internal_id",
    "new_image_id",
    "span_of",
]

Json = dict[str, Any]

_SLACK_MS = 120_000


def new_image_id() -> str:
    """An image's id: a UUID that begins with the time, so that its faces are found by theirs."""
    stamp = time.time_ns() // 1_000_000
    return str(uuid.UUID(hex=f"{stamp:012x}{secrets.token_hex(10)}"))


def span_of(image_id: str) -> tuple[str, str]:
    """Ids between which the faces of an image lie (both ends too)."""
    stamp = int(uuid.UUID(image_id).hex[:12], 16)
    first, last = max(0, stamp - _SLACK_MS), min(16**12 - 1, stamp + _SLACK_MS)
    return f"{first:012x}" + "0" * 20, f"{last:012x}" + "f" * 20


def facts_of(look: Look, image_id: str) -> str:
    """What is kept with each face of a photo."""
    photo = look.photo
    scores = [[*face.box.to_list()[:2], round(face.score, 6)] for face in look.faces]
    facts = {"image": image_id, "size": [photo.width, photo.height], "scores": scores}
    return json.dumps({"nhn": facts}, separators=(",", ":"))


def answered(face: StoredFace, scale: int) -> Json:
    """A stored face; one that came in by another API has neither ``bbox`` nor ``confidence``."""
    told: Json = {
        "faceId": str(uuid.UUID(hex=face.id)),
        "imageId": image_id_of(face),
    }
    if face.external_image_id is not None:
        told["externalImageId"] = face.external_image_id
    facts = _facts(face)
    if facts is not None and face.box is not None:
        x0, y0, _, _ = face.box.to_list()
        nearest = min(facts["scores"], key=lambda one: abs(one[0] - x0) + abs(one[1] - y0))
        told["bbox"] = normalised(face.box, *facts["size"])
        told["confidence"] = confidence_of(nearest[2], scale)
    return told


def image_id_of(face: StoredFace) -> str:
    """The id of the photo that a face came from: NHN's, or else made from the photo's hash."""
    facts = _facts(face)
    if facts is not None:
        return str(facts["image"])
    return str(uuid.UUID(hex=(face.source_sha256 or face.id)[:32]))


def internal_id(face_id: str) -> str:
    """The gallery's id of a face.

    Raises:
        Refused: not a UUID, so there is no such face (-40050).
    """
    try:
        return uuid.UUID(face_id).hex
    except ValueError:
        raise Refused(Result.NOT_FOUND_FACE, "not_found") from None


def face_in(gallery: Gallery, group: str, face_id: str) -> StoredFace:
    """A face of a group that is there.

    Raises:
        Refused: the group has no such face (-40050).
    """
    found = gallery.faces_by_id(group, [internal_id(face_id)])
    if not found:
        raise Refused(Result.NOT_FOUND_FACE, "not_found")
    return next(iter(found.values()))


def _facts(face: StoredFace) -> Json | None:
    """What was kept; None where the face came in by another API."""
    if face.user_data is None or '"nhn"' not in face.user_data:
        return None
    try:
        facts: Json = json.loads(face.user_data)["nhn"]
        size = [float(side) for side in facts["size"]]
        scores = [[float(number) for number in one] for one in facts["scores"]]
        usable = (
            len(size) == 2 and min(size) > 0 and scores and all(len(one) == 3 for one in scores)
        )
        uuid.UUID(facts["image"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None  # somebody else's user data
    return {"image": facts["image"], "size": size, "scores": scores} if usable else None
