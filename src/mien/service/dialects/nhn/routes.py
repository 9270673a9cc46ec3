"""The dialect's routes, its envelope around every answer, and its own description."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from mien.errors import MienError
from mien.service.dialects.endpoints import Endpoint, add_description
from mien.service.dialects.nhn import oauth
from mien.service.dialects.nhn.access import caller, has_key
from mien.service.dialects.nhn.codes import Refused, Result, result_of
from mien.service.dialects.nhn.description import answers_of, request_of
from mien.service.dialects.nhn.envelope import envelope, failed, refused
from mien.service.dialects.nhn.operations import Operation, Question, Route
from mien.service.dialects.nhn.table import OPERATIONS
from mien.service.errors import InternalError, log_unexpected
from mien.service.pool import ClientGoneError
from mien.service.state import Service

__all__ = ["PREFIX", "router"]

PREFIX = "/nhn"

DESCRIPTION = """
NHN Cloud Face Recognition, version 1.0, 2.0 and 2.1, and Face Liveness, as Mien answers them.
`appKey` is the id of an application, `Authorization` holds one of its API keys, and so does
`x-nhn-authorization` (`Bearer KEY`) in version 2.1.
Every answer has the HTTP status 200 and says in `header` how it went.
""".strip()


def router() -> APIRouter:
    """All routes of the dialect, and ``/nhn/openapi.json``, which describes them."""
    made = APIRouter(prefix=PREFIX)
    for operation in OPERATIONS:
        for route in operation.routes:
            made.add_api_route(
                route.path,
                _endpoint(operation, route),
                methods=[route.method],
                name=f"{operation.name} {route.version}",
                operation_id=f"{operation.name} {route.version}",
                description=operation.run.__doc__,
                tags=[route.version],
                responses=answers_of(operation, route),
                response_class=Response,
                openapi_extra=request_of(operation, route),
            )
    made.add_api_route(oauth.PATH, oauth.create, methods=["POST"], include_in_schema=False)
    add_description(made, "/openapi.json", title="Mien: NHN dialect", description=DESCRIPTION)
    return made


def _endpoint(operation: Operation, route: Route) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        keyless = route.version == "v1.0"
        path = {name: str(value) for name, value in request.path_params.items()}
        try:
            call = await caller(request, path["appKey"], operation.scope, keyless=keyless)
            done = await operation.run(Question(call, route.version, path))
        except ClientGoneError:
            raise
        except Refused as refusal:
            service.metrics.errors.labels(refusal.reason).inc()
            return refused(_called(refusal.result, operation, route), refusal.reason)
        except MienError as error:
            told = error
        except Exception as error:
            log_unexpected(error, request_id=request.state.request_id)
            told = InternalError()
        else:
            return envelope(done)
        service.metrics.errors.labels(told.code).inc()
        return failed(told, _called(_result(told, route, request), operation, route))

    return endpoint


def _result(error: MienError, route: Route, request: Request) -> Result:
    """What an error is on this route."""
    if error.code == "not_found" and "{groupId}" in route.path:
        return Result.NOT_FOUND_GROUP  # it was deleted meanwhile
    result = result_of(error)
    if result is Result.UNAUTHORIZED and route.version == "v2.1":
        return Result.UNAUTHORIZED_TOKEN if has_key(request) else Result.MALFORMED_TOKEN
    return result


def _called(result: Result, operation: Operation, route: Route) -> Result:
    """A result as the operation and its version call it."""
    if result is Result.IMAGE_TOO_LARGE and not operation.parts:
        return Result.INVALID_PARAM  # a body that is too long where no image is sent
    if result is Result.UNAUTHORIZED and route.version == "v1.0":
        return Result.UNAUTHORIZED_V1
    if route.version == "liveness":
        return _OF_LIVENESS.get(result, result)
    return result


_OF_LIVENESS = {
    Result.INVALID_IMAGE_BYTES: Result.INVALID_IMAGE_PARAMETER,
    Result.INVALID_IMAGE_FILE: Result.INVALID_IMAGE_FORMAT,
}
"""What Face Liveness calls some results; its guide knows no -45080."""
