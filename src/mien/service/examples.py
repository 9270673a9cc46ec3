"""Examples in the description: answers of a real service over drawn faces, and errors."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

__all__ = ["EXAMPLES", "complete_examples"]

Json = dict[str, Any]

EXAMPLES: Json = json.loads(
    (resources.files("mien.service") / "examples.json").read_text(encoding="utf-8")
)
"""``operations``: operationId -> ``request``, ``answer``; ``errors``: code -> message, details."""

_PHOTO = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQ"
_ID = "4f1c2a9e7b5d4c3f8e6a0b1d2c3e4f50"


def complete_examples(document: Json) -> None:
    """Put an example into each body of each operation."""
    document["components"]["examples"] = {
        code: {"value": {"error": {"code": code, **told}, "request_id": _ID}}
        for code, told in sorted(EXAMPLES["errors"].items())
    }
    for methods in document["paths"].values():
        for operation in methods.values():
            _complete(operation, EXAMPLES["operations"].get(operation["operationId"], {}))


def _complete(operation: Json, example: Json) -> None:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json":
            content["example"] = example.get("request") or _photos(content["schema"])
    for status, answer in operation["responses"].items():
        content = answer.get("content", {}).get("application/json")
        if content is not None and status.startswith("2") and "answer" in example:
            content["example"] = example["answer"]
        elif content is not None and not status.startswith("2"):
            codes = re.findall(r"`(\w+)`", answer["description"]) or ["internal"]
            content["examples"] = {
                code: {"$ref": f"#/components/examples/{code}"}
                for code in codes
                if code in EXAMPLES["errors"]
            }


def _photos(schema: Json) -> Json:
    """Photos in base64, cut off."""
    wanted = schema.get("required") or ["image"]
    values = {"times": [0.0], "images": [{"image": _PHOTO, "person": "Ann"}]}
    return {name: values.get(name, _PHOTO) for name in wanted}
