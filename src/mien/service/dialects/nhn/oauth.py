"""User Access Key tokens of version 2.1: a client gets one before its first request.

Mien has no tokens beside its keys. Whoever shows a valid key as the Secret Access Key gets the key
itself back as the token, so that clients which fetch and renew tokens go on working.
"""

from __future__ import annotations

import base64
from functools import partial
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.responses import Response

from mien.errors import InvalidArgument, MienError, Unauthorized
from mien.service.auth import Access
from mien.service.call import guarded, looked_up
from mien.service.dialects.endpoints import guarded as answering
from mien.service.dialects.endpoints import headers_of
from mien.service.errors import Answer, status_of
from mien.service.limits import RECORD_BYTES, read_body
from mien.service.state import Service

__all__ = ["PATH", "create"]

PATH = "/oauth2/token/create"

EXPIRES_S = 86_400
"""Seconds after which a client asks again, as long as NHN's tokens live unless changed."""

_GRANT = "client_credentials"


async def _create(request: Request) -> Response:
    """A token for ``Basic UserAccessKeyID:SecretAccessKey``; the id may be anything."""
    service: Service = request.app.state.service
    secret = _secret_of(request.headers.get("authorization", ""))
    given = await _grant_of(request, service)
    if given != _GRANT:
        raise InvalidArgument(f"'grant_type' must be {_GRANT!r}.")
    if service.settings.auth:
        access = service.keys.find(secret)
        if access is None:
            look = partial(Access.of, service.gallery, secret)
            access = await looked_up(request, secret, look, service.keys)
        guarded(request, service.guard.use, access.key.id)
    told = {
        "grant_type": _GRANT,
        "access_token": secret,
        "token_type": "Bearer",
        "expires_in": EXPIRES_S,
    }
    return Answer(told, headers={"Cache-Control": "no-store"})


def _failed(error: MienError) -> Response:
    """An error as OAuth 2.0 answers it (RFC 6749, 5.2)."""
    names = {"unauthorized": "invalid_client", "invalid_argument": "invalid_request"}
    body = {"error": names.get(error.code, error.code), "error_description": error.message}
    return Answer(body, status_code=status_of(error.code), headers=headers_of(error))


create = answering(_create, _failed)


def _secret_of(header: str) -> str:
    kind, _, rest = header.partition(" ")
    try:
        told = base64.b64decode(rest.strip(), validate=True).decode()
    except ValueError:
        told = ""
    _, colon, secret = told.partition(":")
    if kind.lower() != "basic" or not colon or not secret:
        raise Unauthorized("Send Authorization: Basic, and base64 of ID:KEY; KEY is an API key.")
    return secret


async def _grant_of(request: Request, service: Service) -> str:
    """The grant's type, from the query or the form; some clients leave it out."""
    with service.reading.hold():
        body = await read_body(
            request, limit=RECORD_BYTES, timeout_s=service.settings.request_timeout_s
        )
    try:
        form = dict(parse_qsl(body.decode("ascii"), max_num_fields=8))
    except ValueError:
        raise InvalidArgument("The form is malformed.") from None
    return form.get("grant_type") or request.query_params.get("grant_type") or _GRANT
