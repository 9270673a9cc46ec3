"""Routes without ``/v1``: the pages, the API's description, health and metrics. No key needed."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.responses import Response

from mien import dashboard
from mien.errors import DeadlineExceeded, Overloaded
from mien.service.errors import Answer
from mien.service.state import Service

__all__ = ["router"]

router = APIRouter()

PROBE_S = 2.0
# Swagger UI writes style attributes; scripts still come from this server only.
DOCS_CSP = dashboard.PAGE_CSP.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


class Health(BaseModel):
    """The process runs."""

    status: str
    request_id: str


class Readiness(BaseModel):
    """Whether requests would be answered."""

    ready: bool
    models: bool
    gallery: bool
    request_id: str


@router.get("/", include_in_schema=False)
async def index() -> Response:
    """The dashboard."""
    return _page("index", dashboard.PAGE_CSP)


@router.get("/docs", include_in_schema=False)
async def docs() -> Response:
    """Swagger UI, from this server's own files."""
    return _page("docs", DOCS_CSP)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The description of the API, OpenAPI 3.1."""
    return Answer(await asyncio.to_thread(request.app.openapi))


@router.get("/healthz", tags=["system"], response_model=Health)
async def healthz(request: Request) -> Response:
    """The process runs and its event loop answers. Needs no key."""
    return Answer({"status": "ok", "request_id": request.state.request_id})


@router.get(
    "/readyz",
    tags=["system"],
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Not ready yet, or stopping."}},
)
async def readyz(request: Request) -> Response:
    """The models are loaded and the database answers. Needs no key."""
    service: Service = request.app.state.service
    gallery = await _gallery_answers(service)
    ready = service.models_ready and gallery and not service.stopping
    content = {
        "ready": ready,
        "models": service.models_ready,
        "gallery": gallery,
        "request_id": request.state.request_id,
    }
    headers = None if ready else {"Retry-After": "1"}
    return Answer(content, status_code=200 if ready else 503, headers=headers)


@router.get(
    "/metrics",
    tags=["system"],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """Counters in the Prometheus text format. Needs no key; it names nobody."""
    service: Service = request.app.state.service
    text = await asyncio.to_thread(service.metrics.render)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


async def _gallery_answers(service: Service) -> bool:
    try:
        slot = service.records.admit()
    except Overloaded:
        return False
    try:
        return await slot.run(service.gallery_answers, timeout_s=PROBE_S)
    except DeadlineExceeded:
        return False


def _page(name: str, csp: str) -> Response:
    return Response(
        dashboard.page(name),
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": csp, "Cache-Control": "no-cache"},
    )
