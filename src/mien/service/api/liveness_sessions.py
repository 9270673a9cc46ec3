"""Liveness sessions: a challenge for a device, its frames, and the result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from starlette.responses import Response

from mien import challenge
from mien.challenge import Plan, StepOutcome
from mien.config import Settings
from mien.engine import LivenessCheck
from mien.errors import Forbidden, InvalidArgument, SessionOver
from mien.gallery import Gallery, Scope
from mien.gallery.challenges import (
    ChallengeLimits,
    ChallengeRecord,
    Challenges,
    application_of,
    is_token,
)
from mien.liveness.sequence import SequenceFrame, pack, unpack
from mien.service.api.photos import PHOTO_ERRORS
from mien.service.auth import bearer
from mien.service.call import Allowed, Call, Detecting, options, run_records, scheme
from mien.service.images import Form
from mien.service.openapi import (
    BODY,
    KEY_SCHEME,
    TOKEN_SCHEME,
    errors,
    json_body,
    photo_body,
    with_header,
)
from mien.service.session_schemas import FramesOptions, LivenessSessionAnswer, NewLivenessSession
from mien.service.state import Service
from mien.service.timings import wanted

__all__ = ["router"]

router = APIRouter(tags=["liveness sessions"])

_PATH = "/v1/liveness-sessions"


class _Visitor:
    """Who asks about a session: its device, by the session's token, or its application."""

    security: tuple[dict[str, list[str]], ...] = (
        {KEY_SCHEME: [Scope.DETECT.value]},
        {TOKEN_SCHEME: []},
    )

    async def __call__(
        self,
        request: Request,
        key: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)],
        session: str,
    ) -> _Visit:
        """The request, where it may."""
        service: Service = request.app.state.service
        header = request.headers.get("authorization") or ""
        secret = header.partition(" ")[2].strip()
        if not is_token(secret):
            call = await Allowed(Scope.DETECT)(request, key)
            return _Visit(call, session, device=False)
        wanted(request)
        look = partial(application_of, service.gallery, bearer(header))
        name, own = await run_records(request, service, look)
        if own != session:
            raise Forbidden("This token opens another liveness session.")
        gallery = await run_records(
            request, service, partial(service.gallery.for_application, name, actor=f"device {own}")
        )
        return _Visit(Call(request, service, gallery), session, device=True)


class _Visit:
    """A request about one session."""

    def __init__(self, call: Call, session: str, *, device: bool) -> None:
        self.call = call
        self.session = session
        self.device = device
        self.store = _store(call.gallery, call.settings)


Visiting = Annotated[_Visit, Depends(_Visitor())]


def _store(gallery: Gallery, settings: Settings) -> Challenges:
    return Challenges(
        gallery,
        ChallengeLimits(
            settings.sessions_per_minute,
            settings.sessions_per_subject,
            timedelta(hours=settings.session_keep_hours),
        ),
    )


@router.post(
    _PATH,
    status_code=201,
    response_model=LivenessSessionAnswer,
    responses={**errors("not_found", *BODY), **with_header(201, "Location")},
    openapi_extra=json_body(NewLivenessSession),
)
async def create_session(call: Detecting) -> Response:
    """Begin a liveness session: hand its token to the device, and tell the person the steps.

    With `group` and `person` the key needs the scope `gallery:read` too.
    """
    query = call.query
    asked = await call.with_json(lambda body: options(NewLivenessSession, query, body))
    if asked.group is not None or asked.person is not None:
        await Allowed(Scope.GALLERY_READ)(call.request, None)

    def work() -> dict[str, Any]:
        plan = _plan(asked, call.settings)
        if plan.group is not None and plan.person is not None:
            call.gallery.embeddings(plan.group, plan.person)
        kept = {"plan": plan.to_dict(), "tells_device": asked.send_result_to_device}
        store = _store(call.gallery, call.settings)
        record, token = store.create(kept, ttl_s=plan.ttl_s, subject=asked.subject)
        return {**_told(record, (), device=False), "token": token}

    made = await call.with_records(work)
    return call.answer(made, status=201, at=f"{_PATH}/{made['id']}")


@router.post(
    f"{_PATH}/{{session}}/frames",
    response_model=LivenessSessionAnswer,
    responses=errors(
        *PHOTO_ERRORS, "weights_missing", "not_found", "already_exists", "session_over"
    ),
    openapi_extra=photo_body(several=True, options=FramesOptions),
)
async def add_frames(visit: Visiting) -> Response:
    """Frames of a session, one or several, each with its time; in order, one request after another.

    Allowed with the session's token. When all steps are done, one has failed, or `done` is given,
    the session ends.
    """
    call = visit.call
    query = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(FramesOptions, query, form.options)
        images = [image.data for image in form.images["image"]]
        if len(chosen.times) != len(images):
            raise InvalidArgument(f"{len(images)} frame(s) need as many times.")
        record = visit.store.find(visit.session)
        if record.over:
            raise SessionOver(
                f"The liveness session is over ({record.state}): ask for another one.",
                details={"state": record.state},
            )
        plan = challenge.plan_from_dict(record.plan["plan"])
        pairs = list(zip(chosen.times, images, strict=True))[: plan.max_frames - record.frames]
        received = (datetime.now(UTC) - record.created_at).total_seconds()
        looked = challenge.watch(call.engine, plan, pairs, received_s=received)
        before = [frame for part in visit.store.seen(record) for frame in unpack(part)]
        record = visit.store.add(record, pack(looked), frames=len(looked))
        frames = [*before, *looked]
        stands = challenge.standing(plan, frames)
        if stands.over or chosen.done:
            record = _judged(visit, record, plan, frames)
        return _told(record, stands.progress.outcomes, device=visit.device)

    return call.answer(await call.with_photos(work, max_images=call.settings.max_request_images))


@router.get(
    f"{_PATH}/{{session}}",
    response_model=LivenessSessionAnswer,
    responses=errors("not_found"),
)
async def show_session(visit: Visiting) -> Response:
    """A session and, once it is there, its result."""

    def work() -> dict[str, Any]:
        record = visit.store.find(visit.session)
        frames = [frame for part in visit.store.seen(record) for frame in unpack(part)]
        plan = challenge.plan_from_dict(record.plan["plan"])
        stands = challenge.standing(plan, frames)
        return _told(record, stands.progress.outcomes, device=visit.device)

    return visit.call.answer(await visit.call.with_records(work))


@router.delete(
    f"{_PATH}/{{session}}",
    status_code=204,
    responses=errors("not_found"),
)
async def delete_session(visit: Visiting) -> Response:
    """Delete a session and its result; not with the session's token."""
    if visit.device:
        raise Forbidden("A device's token cannot delete its session.")
    await visit.call.with_records(lambda: visit.store.delete(visit.session))
    return Response(status_code=204)


def _plan(asked: NewLivenessSession, settings: Settings) -> Plan:
    check = LivenessCheck(
        asked.liveness or "enforce", asked.liveness_condition or settings.liveness_condition
    )
    return Plan(
        steps=challenge.choose(asked.step_count, among=asked.among),
        step_limit_s=asked.step_limit_s,
        ttl_s=asked.ttl_s,
        max_frames=asked.max_frames,
        mirrored=asked.mirrored,
        liveness=check.at_least(settings),
        fmr=asked.fmr,
        group=asked.group,
        person=asked.person,
    )


def _judged(
    visit: _Visit, record: ChallengeRecord, plan: Plan, frames: list[SequenceFrame]
) -> ChallengeRecord:
    engine = visit.call.engine
    digests = [frame.digest.tobytes() for frame in frames]
    result = challenge.judge(
        engine,
        plan,
        frames,
        known=visit.store.known(digests),
        more=challenge.person_check(engine, visit.call.gallery, plan, frames),
    )
    return visit.store.finish(
        record, passed=result.passed, result=result.to_dict(), digests=digests
    )


def _told(
    record: ChallengeRecord, outcomes: tuple[StepOutcome, ...], *, device: bool
) -> dict[str, Any]:
    """A session as it is answered; a device learns the result only where it may."""
    plan = record.plan["plan"]
    hides = device and not record.plan["tells_device"]
    result = None if hides else record.result
    if record.result is not None and not hides:
        steps = record.result["steps"]
    elif outcomes and not record.over:
        steps = [one.to_dict() for one in outcomes]
    else:
        steps = [StepOutcome(step, None).to_dict() for step in plan["steps"]]
    waiting = [one["step"] for one in steps if one["done"] is None]
    ended = record.state in ("passed", "failed")
    return {
        "id": record.id,
        "token": None,
        "state": "finished" if hides and ended else record.state,
        "subject": record.subject,
        "steps": [{**one, "texts": dict(challenge.TEXTS[one["step"]])} for one in steps],
        "next_step": waiting[0] if waiting and not record.over else None,
        "step_limit_s": plan["step_limit_s"],
        "mirrored": plan["mirrored"],
        "frames": record.frames,
        "created_at": record.created_at.isoformat(),
        "expires_at": record.expires_at.isoformat(),
        "finished_at": None if record.finished_at is None else record.finished_at.isoformat(),
        "result": None if result is None else {k: v for k, v in result.items() if k != "steps"},
    }
