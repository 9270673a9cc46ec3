"""Liveness sessions, alone and with verification, in the preview's and in the released form."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.gallery.challenges import ChallengeRecord
from mien.service.call import Call
from mien.service.dialects.azure import attributes, faces, sessions
from mien.service.dialects.azure.detect import rectangle_of
from mien.service.dialects.azure.errors import AzureError
from mien.service.dialects.azure.fields import (
    Body,
    boolean,
    number,
    page,
    parse,
    shown_id,
    text,
)
from mien.service.dialects.azure.persons import start_of
from mien.service.dialects.azure.route import (
    MAX_IMAGE_BYTES,
    MIN_IMAGE_BYTES,
    AzureRoute,
    Reading,
    Writing,
    done,
    query_of,
    with_body,
)
from mien.service.dialects.azure.sessions import Reference, Wanted
from mien.service.images import Form, parse_form

__all__ = ["router"]

MODES = ("Passive", "PassiveActive")
TOKEN_S = (60, 86400)
DEFAULT_TOKEN_S = 600
MAX_CORRELATION = 64
PREVIEW = {False: "/detectLiveness/singleModal", True: "/detectLivenessWithVerify/singleModal"}
RELEASED = {False: "/detectLiveness-sessions", True: "/detectLivenessWithVerify-sessions"}
IMAGE_FIELDS = ("VerifyImage", "verifyImage")
PREVIEW_STATES = {"waiting": "NotStarted", "running": "Started", "expired": "NotStarted"}
RELEASED_STATES = {"waiting": "NotStarted", "running": "Running", "expired": "Canceled"}


def router() -> APIRouter:
    """The routes of both forms and both kinds."""
    made = APIRouter(route_class=AzureRoute, tags=["liveness"])
    for verify in (False, True):
        preview, released = f"{PREVIEW[verify]}/sessions", RELEASED[verify]
        _add_common(made, preview, verify=verify, form=_preview)
        _add_common(made, released, verify=verify, form=_released)
        _add_lists(made, preview, verify=verify)
    for path in ("/session/sessionImages/{image}", "/sessionImages/{image}"):
        made.add_api_route(path, _session_image, methods=["GET"], name=f"get {path}")
    return made


def _add_common(router: APIRouter, path: str, *, verify: bool, form: Any) -> None:  # noqa: ANN401
    """POST, GET and DELETE; ``form`` says a session as one of the two forms does."""
    name = path.strip("/").replace("/", " ")

    @router.post(path, name=f"create {name}")
    async def create(call: Writing) -> Response:
        """Begin a session."""

        def work(body: Body, reference: Reference | None = None) -> dict[str, Any]:
            wanted = _wanted(body, verify=verify, reference=reference)
            one, token = sessions.begin(call, wanted)
            record, wanted = sessions.find(call, one, verify=verify)
            return _begun(form(record, wanted), wanted, record, token, preview=form is _preview)

        if not verify:
            return done(await with_body(call, work))
        return done(await _with_reference(call, work))

    @router.get(path + "/{session}", name=f"get {name}")
    async def show(call: Reading, session: str) -> Response:
        """A session and its result."""

        def work() -> dict[str, Any]:
            return dict(form(*sessions.find(call, session, verify=verify)))

        return done(await call.with_records(work))

    @router.delete(path + "/{session}", name=f"delete {name}")
    async def delete(call: Writing, session: str) -> Response:
        """Delete a session, its result and its reference."""
        await call.with_records(lambda: sessions.end(call, session, verify=verify))
        return done()


def _add_lists(router: APIRouter, path: str, *, verify: bool) -> None:
    """GET of all, and of a session's attempts: the preview alone has them."""
    name = path.strip("/").replace("/", " ")

    @router.get(path, name=f"list {name}")
    async def listing(call: Reading) -> Response:
        """Sessions by id, those after ``start``."""
        start, top = page(query_of(call))

        def work() -> list[dict[str, Any]]:
            found = sessions.listing(call, start_of(start), top, verify=verify)
            return [_item(record, wanted) for record, wanted in found]

        return done(await call.with_records(work))

    @router.get(path + "/{session}/audit", name=f"audit {name}")
    async def audit(call: Reading, session: str) -> Response:
        """What a session's device sent, as far as it was judged."""
        page(query_of(call))

        def work() -> list[dict[str, Any]]:
            told = _attempt(*sessions.find(call, session, verify=verify))
            return [] if told is None else [told]

        return done(await call.with_records(work))


async def _session_image(call: Reading, image: str) -> Response:
    """Frames are never kept."""
    raise AzureError(404, "SessionImageNotFound", "Session images are not kept.")


# ---------------------------------------------------------------------- requests


def _wanted(body: Body, *, verify: bool, reference: Reference | None = None) -> Wanted:
    mode = body.get("livenessOperationMode")
    if mode not in MODES:
        raise AzureError(400, "InvalidLivenessOperationMode", "'livenessOperationMode' is invalid.")
    correlation = text(body, "deviceCorrelationId", most=MAX_CORRELATION)
    in_client = boolean(body, "deviceCorrelationIdSetInClient", default=False)
    if not correlation and not in_client and "livenessModelVersion" not in body:
        raise AzureError(400, "InvalidDeviceCorrelationId", "'deviceCorrelationId' is missing.")
    return Wanted(
        verify=verify,
        mode=str(mode),
        seconds=_seconds(body.get("authTokenTimeToLiveInSeconds")),
        correlation=correlation,
        tells_device=boolean(body, "sendResultsToClient", default=False),
        threshold=number(body, "verifyConfidenceThreshold", default=0.5) or 0.0,
        reference=reference,
        created=sessions.moment(datetime.now(UTC)),
    )


def _seconds(given: object) -> int:
    if given is None:
        return DEFAULT_TOKEN_S
    if isinstance(given, str) and given.isdecimal():
        given = int(given[:9])
    if isinstance(given, bool) or not isinstance(given, int):
        given = -1
    if not TOKEN_S[0] <= given <= TOKEN_S[1]:
        raise AzureError(
            400, "InvalidTokenLifetime", "'authTokenTimeToLiveInSeconds' is not 60 to 86400."
        )
    return given


async def _with_reference(call: Call, work: Any) -> dict[str, Any]:  # noqa: ANN401
    """A multipart body: the session's parameters and the photo to compare with."""
    kind = call.request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise _invalid("Send multipart/form-data with the photo to compare with.")

    def read(body: bytes, content_type: str) -> Form:
        field = IMAGE_FIELDS[b'name="VerifyImage"' not in body and b"name=VerifyImage" not in body]
        return parse_form(body, content_type=content_type, fields=(field,), max_images=1)

    def begin(form: Form) -> dict[str, Any]:
        (images,) = form.images.values()
        given = _parameters(form.options)
        _wanted(given, verify=True)  # before anything is kept
        reference = _reference(call, images[0].data, given)
        try:
            made: dict[str, Any] = work(given, reference)
        except BaseException:
            sessions.drop(call.gallery, reference)
            raise
        return made

    return await call.with_upload(read, begin)


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """``Parameters`` as JSON, or one part each; numbers in parts are text."""
    rest = {name: value for name, value in given.items() if name.lower() != "parameters"}
    packed = [value for name, value in given.items() if name.lower() == "parameters"]
    found = {**rest, **(parse(packed[0].encode()) if packed else {})}
    threshold = found.get("verifyConfidenceThreshold")
    if isinstance(threshold, str):
        try:
            found["verifyConfidenceThreshold"] = float(threshold)
        except ValueError:
            raise _invalid("'verifyConfidenceThreshold' is invalid.") from None
    return found


def _reference(call: Call, data: bytes, given: Body) -> Reference:
    """Register the reference's face, and what the API says of it."""
    if not MIN_IMAGE_BYTES <= len(data) <= MAX_IMAGE_BYTES:
        size = "small" if len(data) < MIN_IMAGE_BYTES else "big"
        raise AzureError(400, "InvalidImageSize", f"Image size is too {size}.")
    engine = call.engine
    photo, face = faces.only_face(engine, data)
    embeddings = engine.embed(photo, face)
    contract = engine.embedder.contract
    (analysed,) = engine.analyze_faces(photo, face, actions=["quality"])
    call.gallery.ensure_group(sessions.GROUP, contract=contract)
    (stored,) = call.gallery.add_faces(
        sessions.GROUP,
        sessions.reference_name(),
        embeddings,
        contract=contract,
        create_person=True,
    )
    asked = boolean(given, "returnVerifyImageHash", default=False)
    return Reference(
        person=stored.person_id,
        rectangle=rectangle_of(face[0].box),
        quality=str(attributes.shown(["qualityForRecognition"], analysed)["qualityForRecognition"]),
        sha256=hashlib.sha256(data).hexdigest() if asked else None,
    )


def _invalid(message: str) -> AzureError:
    return AzureError(400, "InvalidRequestBody", message)


# ---------------------------------------------------------------------- answers


def _begun(
    shown: dict[str, Any], wanted: Wanted, record: ChallengeRecord, token: str, *, preview: bool
) -> dict[str, Any]:
    """The answer to a request for a session: the only one with the device's token."""
    one = shown_id(record.id)
    if not preview:
        return {**shown, "authToken": token}
    made: dict[str, Any] = {"sessionId": one, "authToken": token}
    if wanted.reference is not None:
        made["verifyImage"] = _image(wanted.reference)
    return made


def _item(record: ChallengeRecord, wanted: Wanted) -> dict[str, Any]:
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


def _preview(record: ChallengeRecord, wanted: Wanted) -> dict[str, Any]:
    """A session as the preview says it."""
    shown = {
        **_item(record, wanted),
        "status": PREVIEW_STATES.get(record.state, "ResultAvailable"),
    }
    told = _attempt(record, wanted)
    return shown if told is None else {**shown, "result": told}


def _attempt(record: ChallengeRecord, wanted: Wanted) -> dict[str, Any] | None:
    """The result as an entry of the preview's audit."""
    decided = sessions.decision(record)
    if decided is None or record.finished_at is None:
        return None
    body: dict[str, Any] = {
        "livenessDecision": decided,
        "modelVersionUsed": sessions.model_version(),
    }
    verified = sessions.verified(record, wanted)
    if verified is not None and wanted.reference is not None:
        body["verifyResult"] = {**verified, "verifyImage": _image(wanted.reference)}
    one = shown_id(record.id)
    taken = record.finished_at - record.created_at
    shown: dict[str, Any] = {
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
    return shown


def _released(record: ChallengeRecord, wanted: Wanted) -> dict[str, Any]:
    """A session as the released API says it."""
    state = RELEASED_STATES.get(record.state, "Succeeded")
    attempts: list[dict[str, Any]] = []
    decided = sessions.decision(record)
    if decided is not None:
        result: dict[str, Any] = {"livenessDecision": decided, "digest": _digest(record)}
        verified = sessions.verified(record, wanted)
        if verified is not None:
            result["verifyResult"] = verified
        if wanted.reference is not None and wanted.reference.sha256 is not None:
            result["verifyImageHash"] = wanted.reference.sha256
        attempts = [{"attemptId": 1, "attemptStatus": "Succeeded", "result": result}]
    elif record.state != "waiting":
        attempts = [{"attemptId": 1, "attemptStatus": state}]
    results: dict[str, Any] = {"attempts": attempts}
    if wanted.reference is not None:
        results["verifyReferences"] = [
            {"referenceType": "image", **_image(wanted.reference)},
        ]
    return {
        "sessionId": shown_id(record.id),
        "status": state,
        "modelVersion": sessions.model_version(),
        "results": results,
    }


def _image(reference: Reference) -> dict[str, Any]:
    return {
        "faceRectangle": reference.rectangle,
        "qualityForRecognition": reference.quality,
    }


def _digest(record: ChallengeRecord) -> str:
    """A hash of the result, so that two records of it can be compared."""
    return hashlib.sha256(json.dumps(record.result, sort_keys=True).encode()).hexdigest().upper()
