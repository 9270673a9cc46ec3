"""A request of an Azure client: its key, its body, and errors in the API's own shape."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mien.errors import MienError, RequestTooLarge, Unauthorized, UnsupportedMediaType
from mien.gallery import Gallery, Scope
from mien.service.auth import bearer
from mien.service.call import Call, opened
from mien.service.dialects.azure import errors
from mien.service.dialects.azure.errors import AzureError, bad_argument
from mien.service.dialects.azure.fields import Body, Given, parse
from mien.service.edge import REQUEST_ID
from mien.service.errors import Answer, log_unexpected

__all__ = [
    "MAX_IMAGE_BYTES",
    "MIN_IMAGE_BYTES",
    "AzureRoute",
    "Detecting",
    "Reading",
    "Writing",
    "done",
    "failed",
    "query_of",
    "with_body",
    "with_photo",
]

T = TypeVar("T")

KEY = "Ocp-Apim-Subscription-Key"
CLIENT_ID = "x-ms-client-request-id"
MIN_IMAGE_BYTES = 1024
MAX_IMAGE_BYTES = 6 * 1024 * 1024
MAX_JSON_BYTES = 256 * 1024

scheme = APIKeyHeader(
    name=KEY, auto_error=False, scheme_name="Subscription key", description="A key of Mien's."
)


class AzureRoute(APIRoute):
    """Answers every error in the API's shape, and names the request in every answer."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, wrapped."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            own = "/azure" if request.url.path.startswith("/azure/") else ""
            request.state.template = f"{own}/face/{{version}}{self.path}"  # routes do not know it
            try:
                return named(request, await handler(request))
            except Exception as error:
                return failed(request, error)

        return answer


def failed(request: Request, error: Exception) -> Response:
    """The answer to a request that an error ended."""
    request_id = request.state.request_id
    if isinstance(error, MienError):
        told = errors.of_mien(error)
    elif isinstance(error, AzureError):
        told = error
    elif isinstance(error, RequestValidationError | HTTPException):
        told = bad_argument("Request is invalid.")
    else:
        log_unexpected(error, request_id=request_id)
        told = AzureError(500, "InternalServerError", "Internal server error.")
    request.app.state.service.metrics.errors.labels(f"azure:{told.code}").inc()
    return named(request, errors.answer(told))


def named(request: Request, response: Response) -> Response:
    """The answer with the ids of its request: Mien's own, which the log has too, and the client's.

    Args:
        request: whose.
        response: changed in place.
    """
    response.headers["apim-request-id"] = _request_id(request)
    given = request.headers.get(CLIENT_ID, "")
    if REQUEST_ID.fullmatch(given):
        response.headers[CLIENT_ID] = given
    return response


def _request_id(request: Request) -> str:
    given: str = request.state.request_id
    try:
        return str(uuid.UUID(given))
    except ValueError:
        return given


def _allowed(scope: Scope) -> Callable[..., Awaitable[Call]]:
    async def authorise(request: Request, _: Annotated[str | None, Depends(scheme)] = None) -> Call:
        return await opened(request, scope, lambda: _secret(request))

    return authorise


def _secret(request: Request) -> str:
    given = request.headers.get(KEY)
    if given:
        return given.strip()
    if request.headers.get("authorization"):
        return bearer(request.headers["authorization"])
    raise Unauthorized(f"Send an API key: {KEY}: KEY.")


Detecting = Annotated[Call, Depends(_allowed(Scope.DETECT))]
Reading = Annotated[Call, Depends(_allowed(Scope.GALLERY_READ))]
Writing = Annotated[Call, Depends(_allowed(Scope.GALLERY_WRITE))]


def query_of(call: Call) -> Body:
    """The query's options; what is not known is ignored, as the API does.

    An option that is given several times is a list, as one with commas is.
    """
    found: dict[str, str] = {}
    for name, value in call.request.query_params.multi_items():
        known = name.lower()
        found[known] = f"{found[known]},{value}" if known in found else value
    return Given(found.items())


async def with_body(
    call: Call,
    work: Callable[[Body], T],
    *,
    models: bool = False,
    parse: Callable[[bytes], Body] = parse,
) -> T:
    """Read a JSON object and run ``work`` with it: on a worker for records, or for photos."""
    if _kind(call) not in ("application/json", ""):
        raise UnsupportedMediaType("Send application/json.")
    body = await call.read(MAX_JSON_BYTES)

    def job() -> T:
        return work(parse(body))

    return await (call.with_models(job) if models else call.with_records(job))


async def with_photo(
    call: Call,
    work: Callable[[bytes], T],
    *,
    kept: Callable[[Gallery, str], bytes] | None = None,
) -> T:
    """Read a photo and run ``work`` on a worker for photos.

    Args:
        call: its body is the photo, or says behind which URL it is.
        work: takes the photo.
        kept: gives the image of a session, where the body may name one instead.
    """
    kind = _kind(call)
    call.service.inference.refuse_if_full(call.lane)
    with call.service.budget.hold() as holding:
        if kind == "application/json":
            body = parse(await call.read(MAX_JSON_BYTES))
            session = body.get("sessionImageId")
            if kept is not None and session is not None and body.get("url") is None:
                data = await call.with_records(lambda: kept(call.gallery, str(session)))
                holding.take(len(data))
            else:
                with call.service.reading.hold():
                    data = await call.service.fetcher.fetch(
                        _url(body),
                        max_bytes=MAX_IMAGE_BYTES,
                        timeout_s=call.left,
                        take=holding.take,
                    )
        elif kind == "application/octet-stream" or kind.startswith("image/"):
            try:
                data = await call.read(MAX_IMAGE_BYTES, holding)
            except RequestTooLarge:
                raise AzureError(400, "InvalidImageSize", "Image size is too big.") from None
        else:
            raise UnsupportedMediaType("Send application/json or application/octet-stream.")
        if len(data) < MIN_IMAGE_BYTES:
            raise AzureError(400, "InvalidImageSize", "Image size is too small.")
        return await call.with_models(lambda: work(data))


def done(
    content: object = None, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """An answer: JSON, or an empty one where there is nothing to say."""
    if content is None:
        return Response(status_code=status, headers=headers)
    return Answer(content, status_code=status, headers=headers)


def _url(body: Body) -> str:
    url = body.get("url")
    if not isinstance(url, str) or not url:
        raise bad_argument("Request body is invalid.")
    return url


def _kind(call: Call) -> str:
    return call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
