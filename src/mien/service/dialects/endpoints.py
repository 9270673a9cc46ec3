"""Endpoints of a dialect: errors in the dialect's own shape, and the dialect's own description."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

import mien
from mien.errors import MienError
from mien.service.errors import RETRY_AFTER_S, Answer, InternalError, log_unexpected, status_of
from mien.service.openapi import described_once
from mien.service.pool import ClientGoneError
from mien.service.state import Service

__all__ = ["Endpoint", "add_description", "guarded", "headers_of"]

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


def add_description(router: APIRouter, path: str, *, title: str, description: str) -> None:
    """Serve an OpenAPI description of all routes that the router has, made when it is asked for."""

    @cache
    def described() -> dict[str, Any]:
        version, routes = mien.__version__, router.routes
        return get_openapi(title=title, version=version, description=description, routes=routes)

    async def answer() -> Response:
        return Answer(await asyncio.to_thread(described_once, described))

    router.add_api_route(path, answer, methods=["GET"], include_in_schema=False)
