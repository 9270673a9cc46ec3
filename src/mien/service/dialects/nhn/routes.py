"""The dialect's routes, its envelope around every answer, and its own description."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import Response

import mien
from mien.errors import MienError, Overloaded
from mien.service.dialects.endpoints import Endpoint
from mien.service.dialects.nhn.access import caller
from mien.service.dialects.nhn.codes import Refused, Result, result_of
from mien.service.dialects.nhn.description import answers_of, request_of
from mien.service.dialects.nhn.operations import Answered, Operation, Question, Route
from mien.service.dialects.nhn.table import OPERATIONS
from mien.service.errors import Answer, log_unexpected
from mien.service.pool import ClientGoneError
from mien.service.state import Service

__all__ = ["PREFIX", "router"]

PREFIX = "/nhn"

DESCRIPTION = """
NHN Cloud Face Recognition, version 1.0 and 2.0, and Face Liveness, as Mien answers them.
`appKey` is the id of an application, `Authorization` holds one of its API keys.
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
    described = get_openapi(
        title="Mien: NHN dialect",
        version=mien.__version__,
        description=DESCRIPTION,
        routes=made.routes,
    )

    async def description() -> Response:
        return Answer(described)

    made.add_api_route("/openapi.json", description, methods=["GET"])
    return made


def _endpoint(operation: Operation, route: Route) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        keyless = service.opened_by_id if route.version == "v1.0" else None
        path = {name: str(value) for name, value in request.path_params.items()}
        try:
            call = await caller(request, path["appKey"], operation.scope, keyless=keyless)
            done = await operation.run(Question(call, route.version, path))
        except ClientGoneError:
            raise
        except Refused as refused:
            return _failed(service, _called(refused.result, operation, route), refused.reason)
        except MienError as error:
            return _failed(service, _called(result_of(error), operation, route), error.code)
        except Exception as error:
            log_unexpected(error, request_id=request.state.request_id)
            return _failed(service, Result.INTERNAL, "internal")
        return _envelope(done)

    return endpoint


def _called(result: Result, operation: Operation, route: Route) -> Result:
    """A result as the operation and its version call it."""
    if result is Result.IMAGE_TOO_LARGE and not operation.parts:
        return Result.INVALID_PARAM  # a body that is too long where no image is sent
    if result is Result.UNAUTHORIZED and route.version == "v1.0":
        return Result.UNAUTHORIZED_V1
    if result is Result.INVALID_IMAGE_BYTES and route.version == "liveness":
        return Result.INVALID_IMAGE_PARAMETER
    return result


def _envelope(done: Answered) -> Answer:
    result = done.result
    header = {
        "isSuccessful": result.number >= 0,
        "resultCode": result.number,
        "resultMessage": result.message,
    }
    data = {} if done.data is None else {"data": done.data}
    return Answer({"header": header, **data})


def _failed(service: Service, result: Result, reason: str) -> Response:
    service.metrics.errors.labels(reason).inc()
    answer = _envelope(Answered(result=result))
    answer.headers["X-Mien-Error"] = reason
    if reason == Overloaded.code:
        answer.headers["Retry-After"] = "1"
    return answer
