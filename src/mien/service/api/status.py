"""What is running, for the dashboard and for operators."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

import mien
from mien.engine import Engine
from mien.errors import RuntimeUnavailable, UnknownModel
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
    """Runtime, precision and length of the recognition model; opens and measures nothing."""
    dim = engine.embedder.contract.dim
    try:
        choice = engine.models.choice(engine.models.card(engine.embedder.name, "embed"))
    except (UnknownModel, RuntimeUnavailable):  # a model without a card or without our runtimes
        return None, None, dim
    if choice is None:  # nothing to choose from: the settings say what runs, or nobody does
        settings = engine.settings
        return _unless_auto(settings.runtime), _unless_auto(settings.precision), dim
    return choice.runtime, choice.precision, dim


def _unless_auto(wish: str) -> str | None:
    return None if wish == "auto" else wish
