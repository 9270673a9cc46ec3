"""Liveness sessions, alone and with verification, in the preview's and in the released form."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.errors import InvalidArgument
from mien.service.call import Call
from mien.service.dialects.azure import attributes, faces, sessions
from mien.service.dialects.azure.detect import rectangle_of
from mien.service.dialects.azure.errors import AzureError
from mien.service.dialects.azure.fields import (
    Body,
    Given,
    boolean,
    number,
    page,
    parse,
    text,
)
from mien.service.dialects.azure.liveness_answers import (
    Form,
    attempt,
    begun,
    item,
    preview,
    released,
)
from mien.service.dialects.azure.persons import start_of
from mien.service.dialects.azure.policies import refuse_spoof
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
from mien.service.images import Form as Parts
from mien.service.images import parse_multipart

__all__ = ["router"]

MODES = ("Passive", "PassiveActive")
TOKEN_S = (60, 86400)
DEFAULT_TOKEN_S = 600
MAX_CORRELATION = 64
PREVIEW = {False: "/detectLiveness/singleModal", True: "/detectLivenessWithVerify/singleModal"}
RELEASED = {False: "/detectLiveness-sessions", True: "/detectLivenessWithVerify-sessions"}
IMAGE_FIELDS = ("VerifyImage", "verifyImage")
THRESHOLD = "verifyConfidenceThreshold"


def router() -> APIRouter:
    """The routes of both forms and both kinds."""
    made = APIRouter(route_class=AzureRoute, tags=["liveness"])
    for verify in (False, True):
        old, new = f"{PREVIEW[verify]}/sessions", RELEASED[verify]
        _add_common(made, old, verify=verify, form=preview)
        _add_common(made, new, verify=verify, form=released)
        _add_lists(made, old, verify=verify)
    for path in ("/session/sessionImages/{image}", "/sessionImages/{image}"):
        made.add_api_route(path, _session_image, methods=["GET"], name=f"get {path}")
    return made


def _add_common(router: APIRouter, path: str, *, verify: bool, form: Form) -> None:
    """POST, GET and DELETE; ``form`` says a session as one of the two forms does."""
    name, as_preview = path.strip("/").replace("/", " "), form is preview

    @router.post(path, name=f"create {name}")
    async def create(call: Writing) -> Response:
        """Begin a session."""

        def check(body: Body) -> Wanted:
            return _wanted(body, verify=verify, correlated=as_preview)

        def work(body: Body, reference: Reference | None = None) -> dict[str, Any]:
            one, token = sessions.begin(call, replace(check(body), reference=reference))
            record, wanted = sessions.find(call, one, verify=verify)
            return begun(form(record, wanted), wanted, record, token, as_preview=as_preview)

        with _as_invalid_body():
            if not verify:
                return done(await with_body(call, work))
            return done(await _with_reference(call, check, work))

    @router.get(path + "/{session}", name=f"get {name}")
    async def show(call: Reading, session: str) -> Response:
        """A session and its result."""

        def work() -> dict[str, Any]:
            return form(*sessions.find(call, session, verify=verify))

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
            return [item(record, wanted) for record, wanted in found]

        return done(await call.with_records(work))

    @router.get(path + "/{session}/audit", name=f"audit {name}")
    async def audit(call: Reading, session: str) -> Response:
        """What a session's device sent, as far as it was judged."""
        page(query_of(call))

        def work() -> list[dict[str, Any]]:
            told = attempt(*sessions.find(call, session, verify=verify))
            return [] if told is None else [told]

        return done(await call.with_records(work))


async def _session_image(call: Reading, image: str) -> Response:
    """The frame that is kept of a session that was made with ``enableSessionImage``."""
    found = await call.with_records(lambda: sessions.image(call.gallery, image))
    headers = {"Cache-Control": "private, no-store"}
    return Response(found, media_type="application/octet-stream", headers=headers)


# ---------------------------------------------------------------------- requests


def _wanted(body: Body, *, verify: bool, correlated: bool) -> Wanted:
    given = str(body.get("livenessOperationMode"))
    mode = next((one for one in MODES if one.lower() == given.lower()), None)
    if mode is None:
        raise AzureError(400, "InvalidLivenessOperationMode", "'livenessOperationMode' is invalid.")
    correlation = _correlation(body, needed=correlated)
    return Wanted(
        verify=verify,
        mode=mode,
        seconds=_seconds(body.get("authTokenTimeToLiveInSeconds")),
        correlation=correlation,
        tells_device=boolean(body, "sendResultsToClient", default=False),
        threshold=number(body, THRESHOLD, default=0.5) or 0.0,
        image=boolean(body, "enableSessionImage", default=False),
        created=sessions.moment(datetime.now(UTC)),
    )


def _correlation(body: Body, *, needed: bool) -> str | None:
    """The client's name for the device, if it is not the device that tells it."""
    in_client = boolean(body, "deviceCorrelationIdSetInClient", default=False)
    if needed and not in_client and not body.get("deviceCorrelationId"):
        raise AzureError(400, "InvalidDeviceCorrelationId", "'deviceCorrelationId' is missing.")
    try:
        return text(body, "deviceCorrelationId", most=MAX_CORRELATION) or None
    except AzureError as error:
        raise AzureError(400, "InvalidDeviceCorrelationId", error.message) from None


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


async def _with_reference(
    call: Call,
    check: Callable[[Body], Wanted],
    work: Callable[[Body, Reference], dict[str, Any]],
) -> dict[str, Any]:
    """A multipart body: the session's parameters and the photo to compare with."""

    def read(body: bytes, content_type: str) -> Parts:
        parts = parse_multipart(body, content_type=content_type, fields=IMAGE_FIELDS, max_images=1)
        if parts is None or len(parts.images) != 1:
            raise _invalid("Send multipart/form-data with the photo to compare with.")
        return parts

    def begin(parts: Parts) -> dict[str, Any]:
        (images,) = parts.images.values()
        given = _parameters(parts.options)
        check(given)  # before anything is kept
        reference = _reference(call, images[0].data, given)
        try:
            return work(given, reference)
        except BaseException:
            sessions.drop(call.gallery, reference)
            raise

    return await call.with_upload(read, begin)


def _parameters(given: Mapping[str, Any]) -> Body:
    """``Parameters`` as JSON, or one part each; numbers in parts are text."""
    flat = Given(given.items())
    packed = flat.get("Parameters")
    found = {**flat, **({} if packed is None else parse(packed.encode()))}
    threshold = found.get(THRESHOLD.lower())
    if isinstance(threshold, str):
        try:
            found[THRESHOLD.lower()] = float(threshold)
        except ValueError:
            raise _invalid(f"'{THRESHOLD}' is invalid.") from None
    return Given(found.items())


def _reference(call: Call, data: bytes, given: Body) -> Reference:
    """Register the reference's face, and what the API says of it."""
    if not MIN_IMAGE_BYTES <= len(data) <= MAX_IMAGE_BYTES:
        size = "small" if len(data) < MIN_IMAGE_BYTES else "big"
        raise AzureError(400, "InvalidImageSize", f"Image size is too {size}.")
    engine = call.engine
    photo, face = faces.only_face(engine, data)
    refuse_spoof(engine, photo, face)
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


@contextmanager
def _as_invalid_body() -> Iterator[None]:
    """Sessions have a code of their own for what is a BadArgument elsewhere."""
    try:
        yield
    except AzureError as error:
        raise _invalid(error.message) if error.code == "BadArgument" else error from None
    except InvalidArgument as error:
        raise _invalid(error.message) from None
