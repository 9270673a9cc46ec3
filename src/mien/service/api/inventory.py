"""What there is: the catalogue of models, and what the key's application uses."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.models import ModelCard
from mien.service.call import Call, Detecting, Reading, options
from mien.service.inventory import (
    CalibrationShape,
    ModelOptions,
    ModelsAnswer,
    OperatingPointShape,
    UsageAnswer,
)
from mien.service.openapi import errors, query
from mien.service.schemas import NoOptions

__all__ = ["router"]

router = APIRouter(tags=["system"])

_FACTS = ("name", "task", "title", "licence", "commercial", "needs_acceptance", "origin", "paper")


@router.get(
    "/v1/models",
    response_model=ModelsAnswer,
    responses=errors(),
    openapi_extra=query(ModelOptions),
)
async def list_models(call: Detecting) -> Response:
    """The catalogue: what each model is for, its licence, and what its confidence rests on."""
    task = options(ModelOptions, call.query).task

    def work() -> dict[str, Any]:
        return {"models": [_model(call, card) for card in call.engine.models.cards(task)]}

    return call.answer(await call.with_records(work))


@router.get("/v1/usage", response_model=UsageAnswer, responses=errors())
async def usage(call: Reading) -> Response:
    """What the key's application holds, and how often it asked for what."""
    options(NoOptions, call.query)
    return call.answer(await call.with_records(lambda: call.gallery.usage().to_dict()))


def _model(call: Call, card: ModelCard) -> dict[str, Any]:
    settings = call.settings
    own = {"detect": settings.detector, "embed": settings.embedder}
    return {
        **{name: getattr(card, name) for name in _FACTS},
        "available": call.engine.models.available(card),
        "in_use": own.get(card.task) == card.name,
        "calibration": _calibration(card),
    }


def _calibration(card: ModelCard) -> dict[str, Any] | None:
    facts = card.calibration
    if facts is None:
        return None
    told = {name: getattr(facts, name) for name in CalibrationShape.model_fields}
    points = [
        {name: getattr(point, name) for name in OperatingPointShape.model_fields}
        for point in facts.points
    ]
    return {**told, "points": points}
