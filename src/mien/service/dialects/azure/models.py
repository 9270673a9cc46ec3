"""``recognition_01`` to ``_04`` and ``detection_01`` to ``_03``: names, and what is behind them.

A container is pinned to its name, and through it to the embedding contract of the model behind.
``MIEN_AZURE_MODELS`` says which model that is; without it all four names are the server's own.
The detection names choose nothing here but the attributes that may be asked for.
"""

from __future__ import annotations

from mien.engine import Engine
from mien.engine.serving import engine_named
from mien.service.call import Call
from mien.service.dialects.azure.fields import Body, choice

__all__ = [
    "DETECTION",
    "RECOGNITION",
    "detection_model",
    "embedders",
    "engine_of",
    "recognition_model",
]

RECOGNITION = ("recognition_01", "recognition_02", "recognition_03", "recognition_04")
DETECTION = ("detection_01", "detection_02", "detection_03")


def recognition_model(given: Body) -> str:
    """``recognitionModel`` of a query or a body; the default is the first."""
    return choice(given, "recognitionModel", RECOGNITION, default=RECOGNITION[0])


def detection_model(given: Body) -> str:
    """``detectionModel`` of a query; the default is the first."""
    return choice(given, "detectionModel", DETECTION, default=DETECTION[0])


def engine_of(call: Call, model: str) -> Engine:
    """The engine behind a recognition model's name."""
    return engine_named(call.engine, _mapped(call).get(model, ""))


def embedders(call: Call) -> dict[str, str]:
    """Each different recognition model's own name -> one of Azure's names for it."""
    found: dict[str, str] = {}
    for model in RECOGNITION:
        found.setdefault(engine_of(call, model).embedder.name, model)
    return found


def _mapped(call: Call) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in call.settings.azure_models)
