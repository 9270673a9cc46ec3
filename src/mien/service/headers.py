"""Headers and options that many operations take or answer, as the description names them."""

from __future__ import annotations

from typing import Any

__all__ = ["HEADERS", "PARAMETERS", "PATHS", "SECURITY_HEADERS", "header", "parameter"]

Json = dict[str, Any]


def parameter(name: str) -> Json:
    """A reference to one of :data:`PARAMETERS`."""
    return {"$ref": f"#/components/parameters/{name}"}


def header(name: str) -> Json:
    """A reference to one of :data:`HEADERS`."""
    return {"$ref": f"#/components/headers/{name}"}


def _taken(name: str, place: str, description: str, schema: Json, example: object) -> Json:
    return {
        "name": name,
        "in": place,
        "required": False,
        "description": description,
        "schema": schema,
        "example": example,
    }


PARAMETERS: dict[str, Json] = {
    "RequestId": _taken(
        "X-Request-ID",
        "header",
        "The request's id, in the answer and in the server's log. Another one is made where it is "
        "left out, or cannot be one.",
        {"type": "string"},
        "import-7.12",
    ),
    "Deadline": _taken(
        "X-Deadline-S",
        "header",
        "Seconds within which the answer is wanted; never more than the server allows. What is "
        "not done by then is `deadline_exceeded`.",
        {"type": "number", "exclusiveMinimum": 0},
        2.5,
    ),
    "Timings": _taken(
        "timings",
        "query",
        "Whether the answer says in `Server-Timing` where the time went.",
        {"type": "boolean", "default": False},
        True,
    ),
    "IdempotencyKey": _taken(
        "Idempotency-Key",
        "header",
        "A new random text for each request. Sent again with the same one, the same request is "
        "not done twice and gets the same answer; another request is `idempotency_conflict`.",
        {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "5f0c9a3e-8e55-4b0e-9d0b-7d0c1a1c2f77",
    ),
    "IfMatch": _taken(
        "If-Match",
        "header",
        "An `ETag`, several with commas between, or `*`: only if it is still so, otherwise "
        "`precondition_failed` and nothing has changed.",
        {"type": "string"},
        '"0f3c5d7e9a1b2c4d6e8f0a1b2c3d4e5f"',
    ),
    "IfNoneMatch": _taken(
        "If-None-Match",
        "header",
        "An `ETag`, several with commas between, or `*`: 304 without a body where it is still so.",
        {"type": "string"},
        '"0f3c5d7e9a1b2c4d6e8f0a1b2c3d4e5f"',
    ),
}
"""What operations take beside their own options, by the name of the component."""


def _told(description: str, schema: Json, *, always: bool = False) -> Json:
    return {"description": description, "required": always, "schema": schema}


HEADERS: dict[str, Json] = {
    "X-Request-ID": _told(
        "The request's id, which the server's log has too.", {"type": "string"}, always=True
    ),
    "ETag": _told(
        "Stands for all that the answer says but its `request_id`.", {"type": "string"}, always=True
    ),
    "Location": _told("Where it is now.", {"type": "string"}, always=True),
    "Retry-After": _told(
        "Seconds until it is worth asking again.", {"type": "integer", "minimum": 0}, always=True
    ),
    "WWW-Authenticate": _told("How to show a key.", {"type": "string"}, always=True),
    "Idempotency-Replayed": _told(
        "`true`: this is the kept answer to the first request with the key.",
        {"type": "string", "enum": ["true"]},
    ),
    "Server-Timing": _told(
        "Milliseconds of each stage and in all, where `timings=true`.", {"type": "string"}
    ),
}
"""What answers carry beside their body, by name."""

PATHS: dict[str, tuple[str, str]] = {
    "group": ("The group's name.", "staff"),
    "person": ("The person's id, or the name in this group.", "Ann"),
    "face_id": ("The face's id.", "6b1d0f6c2f5e4c0f9a57c9a8d2b4e611"),
    "consent_id": ("The consent's id.", "f2b7c1d09e8a4b6d8c3e5f7a9b1c2d3e"),
    "job_id": ("The job's id.", "0d9e8c7b6a5f4e3d2c1b0a9f8e7d6c5b"),
    "session": ("The session's id.", "9a8b7c6d5e4f30211203f4e5d6c7b8a9"),
}
"""What stands in a path: what it is, and an example."""

SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer has, unless its route says otherwise."""
