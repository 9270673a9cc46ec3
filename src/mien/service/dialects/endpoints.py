"""Endpoints of a dialect: every error is answered in the dialect's own shape."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request
from starlette.responses import Response

from mien.errors import MienError
from mien.service.errors import RETRY_AFTER_S, InternalError, log_unexpected, status_of
from mien.service.pool import ClientGoneError
from mien.service.state import Service

__all__ = ["Endpoint", "guarded", "headers_of"]

Endpoint = Callable[[Request], Awaitable[Response]]


def guarded(handle: Endpoint, failed: Callable[[MienError], Response]) -> Endpoint:
    """``handle``, whose errors become what ``failed`` makes of them."""

    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        try:
            return await handle(request)
        except ClientGoneError:
            raise
        except MienError as error:
            told = error
        except Exception as error:
            log_unexpected(error, request_id=request.state.request_id)
            told = InternalError()
        service.metrics.errors.labels(told.code).inc()
        return failed(told)

    return endpoint


def headers_of(error: MienError) -> dict[str, str]:
    """``X-Mien-Error``: the error's code, and where trying again helps ``Retry-After``, seconds."""
    headers = {"X-Mien-Error": error.code}
    if status_of(error.code) in (429, 503):
        headers["Retry-After"] = str(error.details.get("retry_after_s", RETRY_AFTER_S))
    return headers
