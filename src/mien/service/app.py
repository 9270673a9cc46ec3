"""The ASGI app: routes, error answers and the outer layer around one Service."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles

from mien import dashboard
from mien.config import Settings
from mien.engine import Engine
from mien.gallery import DEFAULT_APPLICATION, Gallery
from mien.service import dialects, errors, pages
from mien.service.api import routers
from mien.service.described import Described
from mien.service.edge import Edge
from mien.service.gate import Gate
from mien.service.headers import HEADERS
from mien.service.state import Service
from mien.service.traces import Tracing
from mien.service.turnstile import Turnstile

__all__ = ["create_app"]

METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
EXPOSED = (*HEADERS, "Operation-Location")


def create_app(
    engine: Engine, gallery: Gallery, settings: Settings, *, tracing: Tracing | None = None
) -> FastAPI:
    """The service over an engine and a gallery, which the caller opens and closes.

    The models are loaded in the background when the app starts; ``app.state.service`` is the
    :class:`~mien.service.state.Service`.

    Example:
        >>> from mien.testing import mock_engine
        >>> app = create_app(mock_engine(), gallery, settings)      # doctest: +SKIP
    """
    service = Service(engine, gallery.for_application(DEFAULT_APPLICATION), settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.warm_up()
        try:
            yield
        finally:
            await asyncio.to_thread(service.close)

    app = Described(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.service = service
    errors.install(app)
    app.state.methods = methods = defaultdict[str, set[str]](set)
    app.state.speaker = dialects.speaker(settings.dialects)
    # Not include_router: it analyses every route again, in the first request, and while another
    # thread may be in warnings.catch_warnings, which is not made for that.
    for router in (*routers(), pages.router, *dialects.routers(settings.dialects)):
        app.router.routes.extend(router.routes)
        for route in router.routes:
            if isinstance(route, APIRoute):
                methods[route.path] |= route.methods or set()
    app.mount("/static", StaticFiles(directory=dashboard.STATIC), name="static")
    _add_layers(app, service, tracing)
    return app


def _add_layers(app: FastAPI, service: Service, tracing: Tracing | None) -> None:
    """What a request goes through first: the last one that is added is the outermost."""
    settings, metrics = service.settings, service.metrics
    own = [one for router in routers() for one in router.routes if isinstance(one, APIRoute)]
    app.add_middleware(Turnstile, service=service, routes=own)
    app.add_middleware(
        Gate,
        guard=service.guard,
        metrics=metrics,
        settings=lambda: service.settings,
        speaker=app.state.speaker,
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=METHODS,
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    app.add_middleware(
        Edge,
        metrics=metrics,
        linger_bytes=settings.max_request_bytes,
        tracing=tracing,
        stopping=lambda: service.stopping,
    )
