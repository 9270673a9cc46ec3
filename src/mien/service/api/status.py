"""What is running, for the dashboard and for operators."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

import mien
from mien.engine import Engine
from mien.errors import UnknownModel
from mien.service.call import Call, Detecting
from mien.service.openapi import errors
from mien.service.schemas import StatusAnswer

__all__ = ["router"]

router = APIRouter(tags=["system"])


@router.get("/v1/status", response_model=StatusAnswer, responses=errors())
async def status(call: Detecting) -> Response:
    """Version, models, runtime and precision in use."""
    return call.answer(await call.with_records(lambda: _status(call)))


def _status(call: Call) -> dict[str, Any]:
    ready = call.service.models_ready
    runtime, precision, dim = _running(call.engine) if ready else (None, None, None)
    return {
        "version": mien.__version__,
        "detector": call.engine.detector.name if ready else call.settings.detector,
        "embedder": call.engine.embedder.name if ready else call.settings.embedder,
        "runtime": runtime,
        "precision": precision,
        "dim": dim,
        "ready": ready,
        "max_image_bytes": call.settings.max_image_bytes,
        "max_request_images": call.settings.max_request_images,
    }


def _running(engine: Engine) -> tuple[str | None, str | None, int]:
    dim = engine.embedder.contract.dim
    try:
        session = engine.models.open(engine.models.card(engine.embedder.name, "embed"))
    except UnknownModel:  # a recognition model that has no card, and so no session of ours
        return None, None, dim
    return session.runtime, session.precision, dim
