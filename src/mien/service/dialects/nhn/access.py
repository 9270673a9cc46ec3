"""Who is asking: an appKey in the path, a secret in ``Authorization`` or ``x-nhn-authorization``.

The appKey is the id of a Mien application, the secret one of its API keys. Version 1.0 has no
secret: there the id alone opens the application if that was allowed (``mien apps allow NAME
--nhn-v1``), and a key is taken wherever one is sent. Version 2.1 has tokens, which here are the
keys themselves (see :mod:`mien.service.dialects.nhn.oauth`).
"""

from __future__ import annotations

import hmac
import re
from functools import partial

from fastapi import Request

from mien.errors import NotFound, Unauthorized
from mien.gallery import DEFAULT_SCOPES, ApiKey, Gallery, Scope
from mien.service.auth import Access, permit
from mien.service.call import Call, guarded, looked_up, opened
from mien.service.state import Service

__all__ = ["caller", "has_key"]

_HEADERS = ("x-nhn-authorization", "authorization", "x-nhn-apikey")
_KEY = re.compile(r"mien_[0-9a-f]+_[A-Za-z0-9_-]+")
_APP_KEY = re.compile(r"[0-9a-f]{32}")


async def caller(request: Request, app_key: str, scope: Scope, *, keyless: bool) -> Call:
    """The call of an application, if its appKey and its secret belong together.

    Args:
        request: of the call.
        app_key: from the path.
        scope: what the operation needs.
        keyless: the version of the API knows requests without a secret.

    Raises:
        Unauthorized: they do not, or there is no such application or key.
        Forbidden: the key may not do this.
    """
    service: Service = request.app.state.service
    secret = _secret(request)
    if service.settings.auth and secret is None and keyless:
        return await _keyless(request, app_key, scope)
    call = await opened(request, scope, lambda: _needed(secret))
    own = call.gallery.application_id.encode()
    if service.settings.auth and not hmac.compare_digest(own, app_key.encode("utf-8", "replace")):
        raise Unauthorized("The appKey is another application's than the secret.")
    return call


def _needed(secret: str | None) -> str:
    if secret is None:
        raise Unauthorized("Send the secret: Authorization: KEY.")
    return secret


def has_key(request: Request) -> bool:
    """Whether the request brings something of the form of a key, valid or not."""
    return _KEY.fullmatch(_secret(request) or "") is not None


def _secret(request: Request) -> str | None:
    given = next(filter(None, map(request.headers.get, _HEADERS)), "")
    kind, _, rest = given.strip().partition(" ")
    return (rest.strip() if kind.lower() == "bearer" else given.strip()) or None


async def _keyless(request: Request, app_key: str, scope: Scope) -> Call:
    """The call of an application that has allowed its id alone to open it."""
    service: Service = request.app.state.service
    access = service.opened_by_id.find(app_key)
    if access is None:
        look = partial(_open, service.gallery, app_key)
        access = await looked_up(request, app_key, look, service.opened_by_id)
    guarded(request, service.guard.use, f"appKey {app_key}")
    permit(access.key, scope)
    return Call(request, service, access.gallery)


def _open(gallery: Gallery, app_key: str) -> Access:
    refusal = "There is no such application, or its appKey alone does not open it."
    if not _APP_KEY.fullmatch(app_key):
        raise Unauthorized(refusal)
    try:
        found = gallery.application_by_id(app_key)
    except NotFound:
        raise Unauthorized(refusal) from None
    if not found.nhn_v1:
        raise Unauthorized(refusal)
    key = ApiKey("nhn-v1", found.name, DEFAULT_SCOPES, found.created_at)
    return Access(key, gallery.for_application(found.name, actor="nhn v1.0 appKey"))
