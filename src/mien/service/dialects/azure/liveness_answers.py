"""A liveness session as the API says it: in the previews' form, and in the released one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mien.gallery.challenges import ChallengeRecord
from mien.service.dialects.azure import sessions
from mien.service.dialects.azure.detect import rectangle_of
from mien.service.dialects.azure.fields import shown_id
from mien.service.dialects.azure.sessions import Reference, Wanted

__all__ = ["Form", "attempt", "begun", "item", "preview", "released"]

Json = dict[str, Any]
Form = Callable[[ChallengeRecord, Wanted], Json]
"""Says a session in one of the two forms."""

PREVIEW_STATES = {"waiting": "NotStarted", "running": "Started", "expired": "NotStarted"}
RELEASED_STATES = {"waiting": "NotStarted", "running": "Running", "expired": "Canceled"}


def begun(
    shown: Json, wanted: Wanted, record: ChallengeRecord, token: str, *, as_preview: bool
) -> Json:
    """The answer to a request for a session: the only one with the device's token."""
    one = shown_id(record.id)
    if not as_preview:
        return {**shown, "authToken": token}
    made: Json = {"sessionId": one, "authToken": token}
    if wanted.reference is not None:
        made["verifyImage"] = _image(wanted.reference)
    return made


def item(record: ChallengeRecord, wanted: Wanted) -> Json:
    """A session in the preview's list."""
    shown = {
        "id": shown_id(record.id),
        "createdDateTime": sessions.moment(record.created_at),
        "sessionExpired": record.expires_at <= datetime.now(UTC),
        "authTokenTimeToLiveInSeconds": wanted.seconds,
    }
    if wanted.correlation is not None:
        shown["deviceCorrelationId"] = wanted.correlation
    return shown


def preview(record: ChallengeRecord, wanted: Wanted) -> Json:
    """A session as the preview says it."""
    shown = {
        **item(record, wanted),
        "status": PREVIEW_STATES.get(record.state, "ResultAvailable"),
    }
    told = attempt(record, wanted)
    return shown if told is None else {**shown, "result": told}


def attempt(record: ChallengeRecord, wanted: Wanted) -> Json | None:
    """The result as an entry of the preview's audit."""
    decided = sessions.decision(record)
    if decided is None or record.finished_at is None:
        return None
    body: Json = {
        "livenessDecision": decided,
        "modelVersionUsed": sessions.model_version(),
    }
    face = sessions.target(record)
    if face is not None:
        body["target"] = {
            "faceRectangle": rectangle_of(face.box),
            "fileName": f"frame-{face.frame}",
            "timeOffsetWithinFile": face.at_ms,
            "imageType": "Color",
        }
    verified = sessions.verified(record, wanted)
    if verified is not None and wanted.reference is not None:
        body["verifyResult"] = {**verified, "verifyImage": _image(wanted.reference)}
    one = shown_id(record.id)
    taken = record.finished_at - record.created_at
    shown: Json = {
        "id": 1,
        "sessionId": one,
        "requestId": one,
        "clientRequestId": one,
        "receivedDateTime": sessions.moment(record.finished_at),
        "request": {
            "url": f"/v1/liveness-sessions/{record.id}/frames",
            "method": "POST",
            "contentType": "multipart/form-data",
        },
        "response": {
            "body": body,
            "statusCode": 200,
            "latencyInMilliseconds": int(taken.total_seconds() * 1000),
        },
        "digest": _digest(record),
    }
    if wanted.reference is not None and wanted.reference.sha256 is not None:
        shown["verifyImageHash"] = wanted.reference.sha256
    image = sessions.image_of(record, wanted)
    return shown if image is None else {**shown, "sessionImageId": image}


def released(record: ChallengeRecord, wanted: Wanted) -> Json:
    """A session as the released API says it."""
    state = RELEASED_STATES.get(record.state, "Succeeded")
    attempts: list[Json] = []
    decided = sessions.decision(record)
    if decided is not None:
        result: Json = {"livenessDecision": decided, "digest": _digest(record)}
        face = sessions.target(record)
        if face is not None:
            result["targets"] = {"color": {"faceRectangle": rectangle_of(face.box)}}
        verified = sessions.verified(record, wanted)
        if verified is not None:
            result["verifyResult"] = verified
        if wanted.reference is not None and wanted.reference.sha256 is not None:
            result["verifyImageHash"] = wanted.reference.sha256
        image = sessions.image_of(record, wanted)
        if image is not None:
            result["sessionImageId"] = image
        attempts = [{"attemptId": 1, "attemptStatus": "Succeeded", "result": result}]
    elif record.state != "waiting":
        attempts = [{"attemptId": 1, "attemptStatus": state}]
    results: Json = {"attempts": attempts}
    if wanted.reference is not None:
        results["verifyReferences"] = [
            {"referenceType": "Color", **_image(wanted.reference)},
        ]
    return {
        "sessionId": shown_id(record.id),
        "status": state,
        "modelVersion": sessions.model_version(),
        "results": results,
    }


def _image(reference: Reference) -> Json:
    return {
        "faceRectangle": reference.rectangle,
        "qualityForRecognition": reference.quality,
    }


def _digest(record: ChallengeRecord) -> str:
    """A hash of the result, so that two records of it can be compared."""
    return hashlib.sha256(json.dumps(record.result, sort_keys=True).encode()).hexdigest().upper()
