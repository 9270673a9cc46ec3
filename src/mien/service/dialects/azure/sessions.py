"""Liveness sessions as the API knows them, over Mien's challenges.

A session is a challenge of the gallery's; what the API knows beside it is a note. The reference of
a session with verification is a person of the group ``azure.liveness``, so that the challenge
compares with it as with anybody enrolled, and is deleted with the session. The device that holds
``authToken`` sends its frames to ``/v1/liveness-sessions/SESSION/frames``: what the vendor's own
device library sends is not public.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import mien
from mien import challenge
from mien.challenge import Plan
from mien.config import Settings
from mien.engine import LivenessCheck
from mien.errors import NotFound
from mien.gallery import Gallery
from mien.gallery.challenges import ChallengeLimits, ChallengeRecord, Challenges
from mien.service import session_images
from mien.service.call import Call
from mien.service.dialects.azure.errors import AzureError
from mien.service.dialects.azure.fields import hex_id, shown_id
from mien.types import Box

__all__ = [
    "GROUP",
    "Reference",
    "Target",
    "Wanted",
    "begin",
    "decision",
    "drop",
    "end",
    "find",
    "image",
    "image_of",
    "listing",
    "model_version",
    "moment",
    "reference_name",
    "target",
    "verified",
]

SPACE = "azure.liveness"
GROUP = "azure.liveness"
STEPS = {"Passive": 1, "PassiveActive": 3}
UNSAID = frozenset({"too_few_frames", "no_face", "not_frontal", "step_missed"})
PRUNED = 100


@dataclass(frozen=True, slots=True)
class Reference:
    """The face that a session's face is compared with.

    Attributes:
        person: id in the group ``azure.liveness``.
        rectangle, quality: of the face, as the API says them.
        sha256: of the photo, where it was asked for.
    """

    person: str
    rectangle: dict[str, int]
    quality: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a session is made for; kept as its note.

    Attributes:
        verify: with verification.
        mode: ``Passive`` or ``PassiveActive``.
        seconds: that the device's token lives.
        correlation: the client's own name for the device.
        tells_device: the device may learn the result.
        threshold: confidence from which the face is the reference's.
        reference: None without verification.
        created: when it was made, ISO 8601.
        image: one frame is kept.
    """

    verify: bool
    mode: str
    seconds: int
    correlation: str | None = None
    tells_device: bool = False
    threshold: float = 0.5
    reference: Reference | None = None
    created: str = ""
    image: bool = False

    @classmethod
    def read(cls, document: str) -> Wanted:
        """What :meth:`written` gave."""
        facts = json.loads(document)
        known = facts.pop("reference")
        return cls(**facts, reference=None if known is None else Reference(**known))

    def written(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self))


def begin(call: Call, wanted: Wanted) -> tuple[str, str]:
    """A new session: its id and the device's token (blocking)."""
    store, settings = _store(call.gallery, call.settings), call.settings
    _prune(call.gallery, keep=timedelta(hours=settings.session_keep_hours))
    check = LivenessCheck("enforce", settings.liveness_condition).at_least(settings)
    plan = Plan(
        steps=challenge.choose(STEPS[wanted.mode]),
        ttl_s=wanted.seconds,
        liveness=check,
        group=None if wanted.reference is None else GROUP,
        person=None if wanted.reference is None else wanted.reference.person,
    )
    wanted = replace(wanted, image=wanted.image and settings.session_images > 0)
    kept = {
        "plan": plan.to_dict(),
        "tells_device": wanted.tells_device,
        session_images.KEEPS: wanted.image,
    }
    record, token = store.create(kept, ttl_s=plan.ttl_s)
    call.gallery.annex.add_note(SPACE, record.id, wanted.written())
    return record.id, token


def find(call: Call, session: str, *, verify: bool) -> tuple[ChallengeRecord, Wanted]:
    """A session of that kind.

    Raises:
        AzureError: 404 SessionNotFound.
    """
    missing = AzureError(404, "SessionNotFound", "Session is not found.")
    try:
        one = hex_id(session, "sessionId")
    except AzureError:
        raise missing from None
    note = call.gallery.annex.note(SPACE, one)
    if note is None or (wanted := Wanted.read(note.document)).verify is not verify:
        raise missing
    try:
        return _store(call.gallery, call.settings).find(one), wanted
    except NotFound:
        raise missing from None


def listing(
    call: Call, after: str, top: int, *, verify: bool
) -> list[tuple[ChallengeRecord, Wanted]]:
    """Sessions of a kind by id, those after ``after``."""
    store, found = _store(call.gallery, call.settings), list[tuple[ChallengeRecord, Wanted]]()
    while len(found) < top:
        notes = call.gallery.annex.notes(SPACE, after=after, limit=1000)
        if not notes:
            break
        after = notes[-1].key
        for note in notes:
            wanted = Wanted.read(note.document)
            if wanted.verify is verify:
                try:
                    found.append((store.find(note.key), wanted))
                except NotFound:  # its result was kept long enough
                    continue
    return found[:top]


def end(call: Call, session: str, *, verify: bool) -> None:
    """Delete a session, its result and its reference."""
    record, wanted = find(call, session, verify=verify)
    _forget(call.gallery, record.id, wanted)
    _store(call.gallery, call.settings).delete(record.id)


def decision(record: ChallengeRecord) -> str | None:
    """``realface``, ``spoofface`` or ``uncertain``; None: there is no result yet.

    Whether it is the reference's face is said apart from whether it is a live one.
    """
    if record.result is None:
        return None
    reasons = set(record.result["reasons"]) - {"another_person"}
    if not reasons:
        return "realface"
    return "uncertain" if reasons <= UNSAID else "spoofface"


def verified(record: ChallengeRecord, wanted: Wanted) -> dict[str, Any] | None:
    """``{"matchConfidence", "isIdentical"}`` of a session with verification that has ended."""
    if wanted.reference is None or record.result is None:
        return None
    for check in record.result["checks"]:
        if check["name"] == "person":
            confidence = check["value"] or 0.0
            return {
                "matchConfidence": confidence,
                "isIdentical": confidence >= wanted.threshold,
            }
    return {"matchConfidence": 0.0, "isIdentical": False}


@dataclass(frozen=True, slots=True)
class Target:
    """The face that was judged, in one of the frames.

    Attributes:
        frame: which, from 0.
        at_ms: its time, milliseconds since the session's first frame.
        box: of the face, pixels of the frame.
    """

    frame: int
    at_ms: int
    box: Box


def target(record: ChallengeRecord) -> Target | None:
    """Where the face was; None: no frame showed one, or there is no result yet."""
    found = None if record.result is None else record.result.get("portrait")
    if found is None:
        return None
    return Target(found["frame"], round(1000 * found["time_s"]), Box(*found["box"]))


def image(gallery: Gallery, one: str) -> bytes:
    """The frame that is kept of a session, as the device sent it.

    Raises:
        AzureError: 404 SessionImageNotFound.
    """
    missing = AzureError(404, "SessionImageNotFound", "Session image is not found.")
    try:
        found = session_images.find(gallery, hex_id(one, "sessionImageId"))
    except AzureError:
        raise missing from None
    if found is None:
        raise missing
    return found


def image_of(record: ChallengeRecord, wanted: Wanted) -> str | None:
    """The id of a session's image; None: none was kept."""
    return shown_id(record.id) if wanted.image and target(record) is not None else None


def model_version() -> str:
    """What judged it."""
    return f"mien-{mien.__version__}"


def moment(time: datetime) -> str:
    """A time as the API says it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def reference_name() -> str:
    """A name for a reference in its group."""
    return f"reference {shown_id(uuid.uuid4().hex)}"


def drop(gallery: Gallery, reference: Reference) -> None:
    """Delete a reference, if it is there."""
    with contextlib.suppress(NotFound):
        gallery.delete_person(GROUP, reference.person)


def _store(gallery: Gallery, settings: Settings) -> Challenges:
    keep = timedelta(hours=settings.session_keep_hours)
    limits = ChallengeLimits(settings.sessions_per_minute, settings.sessions_per_subject, keep)
    return Challenges(gallery, limits)


def _prune(gallery: Gallery, *, keep: timedelta) -> None:
    """Forget notes and references of sessions whose results are not kept any more."""
    for note in gallery.annex.notes(SPACE, limit=PRUNED):
        wanted = Wanted.read(note.document)
        lives = keep + timedelta(seconds=wanted.seconds)
        if datetime.fromisoformat(wanted.created) + lives < datetime.now(UTC):
            _forget(gallery, note.key, wanted)


def _forget(gallery: Gallery, one: str, wanted: Wanted) -> None:
    if wanted.reference is not None:
        drop(gallery, wanted.reference)
    session_images.forget(gallery, one)
    gallery.annex.delete_note(SPACE, one)
