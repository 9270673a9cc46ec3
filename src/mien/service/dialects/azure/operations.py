"""Operations: what the directory does "asynchronously" is done when its 202 is sent.

Its clients expect an operation to ask after, so one is kept for 48 hours.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.service.call import Call
from mien.service.dialects.azure.container_routes import POLL_S, located
from mien.service.dialects.azure.errors import missing
from mien.service.dialects.azure.fields import hex_id
from mien.service.dialects.azure.route import AzureRoute, Reading, done

__all__ = ["accepted", "router", "start"]

router = APIRouter(route_class=AzureRoute, tags=["operations"])

KIND = "azure.operation"
KEPT_S = 48 * 3600
LIMIT = 100_000


def start(call: Call, *, resource: str | None = None) -> str:
    """Keep the record of an operation that has just been done (blocking); its id.

    Args:
        call: whose.
        resource: path of what it made, where clients look for it in the record.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    one = uuid.uuid4().hex
    facts = {"createdTime": now, "lastActionTime": now, "finishedTime": now}
    if resource is not None:
        facts["resourceLocation"] = resource
    call.gallery.annex.keep(KIND, {one: json.dumps(facts).encode()}, seconds=KEPT_S, limit=LIMIT)
    return one


def accepted(
    call: Call, operation: str, content: object = None, *, location: str | None = None
) -> Response:
    """202 with the operation's URL, and that of what was made."""
    version = call.request.path_params["version"]
    root = call.request.url.path.partition(f"/{version}/")[0] + f"/{version}"
    path = f"{root}/operations/{uuid.UUID(operation)}"
    headers = {"operation-location": located(call, path), "Retry-After": POLL_S}
    if location is not None:
        headers["location"] = located(call, f"{root}/{location}")
    return done(content, status=202, headers=headers)


@router.get("/operations/{operation}")
async def status(call: Reading, operation: str) -> Response:
    """An operation of the last 48 hours."""
    one = hex_id(operation, "operationId")

    def work() -> dict[str, Any]:
        found = call.gallery.annex.kept(KIND, [one])
        if one not in found:
            raise missing("Operation")
        shown: dict[str, Any] = json.loads(found[one])
        return {"operationId": str(uuid.UUID(one)), "status": "succeeded", **shown}

    return done(await call.with_records(work), headers={"Retry-After": POLL_S})
