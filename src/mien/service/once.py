"""Once: a request with an ``Idempotency-Key`` is done once, however often it is sent."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from mien.config import Settings
from mien.errors import MienError
from mien.gallery import Gallery
from mien.gallery.repeats import Repeats

__all__ = ["HEADER", "REPLAYED", "once"]

HEADER = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
"""Header of an answer that was kept."""

LEASE_MARGIN_S = 5.0
"""Beyond a request's deadline, until one that was never finished may be done again."""

T = TypeVar("T")
logger = logging.getLogger("mien.service")


def once(
    request: Request, gallery: Gallery, settings: Settings, work: Callable[[], T], body: bytes
) -> T:
    """Do ``work``, or give the answer that it gave under the same key (blocking).

    An error changes nothing: the key is free again after it. So is, a while later, the key of a
    request whose server was killed; what that had done already is found by what comes again.

    Args:
        request: may have the header.
        gallery: the application's view.
        settings: how long, how many and how large.
        work: gives an answer of JSON values.
        body: of the request.

    Raises:
        InvalidArgument, IdempotencyConflict: see :meth:`Repeats.begin`.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return work()
    repeats = Repeats(
        gallery,
        keep_s=settings.idempotency_keep_s,
        lease_s=settings.request_timeout_s + LEASE_MARGIN_S,
        max_keys=settings.idempotency_max_keys,
        max_bytes=settings.idempotency_max_bytes,
    )
    holder, answer = repeats.begin(key, _fingerprint(request, body))
    if answer is not None:
        request.state.replayed = True
        return cast("T", json.loads(answer))
    try:
        content = work()
    except BaseException:
        with suppress(MienError):  # the lease ends by itself
            repeats.release(key, holder)
        raise
    try:
        repeats.finish(key, holder, json.dumps(content, ensure_ascii=False, allow_nan=False))
    except MienError as error:  # what was done is done
        logger.warning("the answer to an idempotency key cannot be kept: %s", error.code)
    return content


def _fingerprint(request: Request, body: bytes) -> bytes:
    """SHA-256 of all that a request says. The boundary of a multipart body says nothing."""
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    boundary = parameters.get(b"boundary", b"")
    if boundary:
        body = body.replace(boundary, b"")
    query = sorted(request.query_params.multi_items())
    head = json.dumps([request.method, request.url.path, query, kind.decode("latin-1")])
    return hashlib.sha256(head.encode() + b"\0" + body).digest()
