"""Duties towards the persons: consent, erasure, what is kept of them, retention, the audit log."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.service.call import Administering, Reading, Writing, options
from mien.service.openapi import BODY, errors, json_body, query
from mien.service.privacy import (
    AuditCheckAnswer,
    AuditPage,
    AuditPageOptions,
    AuditVerifyOptions,
    ConsentAnswer,
    ConsentList,
    ErasureAnswer,
    ExportAnswer,
    NewConsent,
    PurgeAnswer,
)
from mien.service.schemas import NoOptions

__all__ = ["router"]

router = APIRouter(tags=["privacy"])

_PERSON = "/v1/groups/{group}/persons/{person}"
_KEYS = ("key_missing", "key_mismatch")


@router.post(
    f"{_PERSON}/consents",
    status_code=201,
    response_model=ConsentAnswer,
    responses=errors("not_found", *BODY),
    openapi_extra=json_body(NewConsent),
)
async def give_consent(call: Writing, group: str, person: str) -> Response:
    """Write down that a person agreed, for this group or for every one."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        new = options(NewConsent, call.query, body)
        return call.gallery.privacy.give_consent(group, person, **new.model_dump()).to_dict()

    return call.answer(await call.with_json(work), status=201)


@router.get(f"{_PERSON}/consents", response_model=ConsentList, responses=errors("not_found"))
async def list_consents(call: Reading, group: str, person: str) -> Response:
    """All consents of a person, oldest first, those that ended too."""
    options(NoOptions, call.query)

    def work() -> dict[str, Any]:
        found = call.gallery.privacy.consents(group, person)
        return {"consents": [one.to_dict() for one in found]}

    return call.answer(await call.with_records(work))


@router.post(
    "/v1/consents/{consent_id}/withdraw",
    response_model=ConsentAnswer,
    responses=errors("not_found"),
)
async def withdraw_consent(call: Writing, consent_id: str) -> Response:
    """End a consent. The person leaves the groups that demand one and have no other in force.

    Who is then in no group is erased.
    """
    options(NoOptions, call.query)

    def work() -> dict[str, Any]:
        return call.gallery.privacy.withdraw_consent(consent_id).to_dict()

    return call.answer(await call.with_records(work))


@router.post(f"{_PERSON}/erase", response_model=ErasureAnswer, responses=errors("not_found"))
async def erase(call: Writing, group: str, person: str) -> Response:
    """Destroy all that is kept of a person in every group: faces, images, consents, and the key.

    Copies in backups can no longer be opened. Unlike deleting, the answer says what was destroyed.
    """
    options(NoOptions, call.query)

    def work() -> dict[str, Any]:
        return call.gallery.privacy.erase(group, person).to_dict()

    return call.answer(await call.with_records(work))


@router.get(f"{_PERSON}/export", response_model=ExportAnswer, responses=errors("not_found", *_KEYS))
async def export_person(call: Administering, group: str, person: str) -> Response:
    """All that is kept of a person, for the person: templates and images too.

    It is written into the audit log.
    """
    options(NoOptions, call.query)

    def work() -> dict[str, Any]:
        return call.gallery.privacy.export(group, person)

    answer = call.answer(await call.with_records(work))
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


@router.post("/v1/purge", response_model=PurgeAnswer, responses=errors())
async def purge(call: Administering) -> Response:
    """Delete now what the retention of the application's groups no longer allows."""
    options(NoOptions, call.query)

    def work() -> dict[str, Any]:
        return call.gallery.privacy.purge().to_dict()

    return call.answer(await call.with_records(work))


@router.get(
    "/v1/audit",
    response_model=AuditPage,
    responses=errors(),
    openapi_extra=query(AuditPageOptions),
)
async def list_audit(call: Administering) -> Response:
    """The application's audit log, oldest first."""
    page = options(AuditPageOptions, call.query)

    def work() -> dict[str, Any]:
        found = call.gallery.privacy.audit(after=page.after, limit=page.limit + 1)
        following = found[page.limit - 1].seq if len(found) > page.limit else None
        return {"entries": [one.to_dict() for one in found[: page.limit]], "next": following}

    return call.answer(await call.with_records(work))


@router.get(
    "/v1/audit/verify",
    response_model=AuditCheckAnswer,
    responses=errors(*_KEYS),
    openapi_extra=query(AuditVerifyOptions),
)
async def verify_audit(call: Administering) -> Response:
    """Check every entry of the application's audit log against the one before."""
    wanted = options(AuditVerifyOptions, call.query)

    def work() -> dict[str, Any]:
        return call.gallery.privacy.verify_audit(head=wanted.head).to_dict()

    return call.answer(await call.with_records(work))
