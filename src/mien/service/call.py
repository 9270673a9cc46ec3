"""Call: one authorised request, and how its work gets from the event loop to a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, ParamSpec, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from mien.config import Settings
from mien.engine import Engine, LivenessCheck
from mien.errors import InvalidArgument, RateLimited, Unauthorized, UnsupportedMediaType
from mien.gallery import Gallery, Scope
from mien.service.auth import Access, KeyCache, bearer, permit
from mien.service.errors import Answer, invalid
from mien.service.etags import names, only_if, tag_of
from mien.service.images import Form, parse_form, parse_json
from mien.service.limits import RECORD_BYTES, Holding, deadline_s, read_body
from mien.service.once import HEADER, REPLAYED, once
from mien.service.openapi import KEY_SCHEME
from mien.service.schemas import LivenessOptions
from mien.service.state import Service
from mien.service.timings import OPTION, server_timing, wanted
from mien.types import Result

__all__ = [
    "Administering",
    "Allowed",
    "Call",
    "Detecting",
    "Reading",
    "Writing",
    "guarded",
    "looked_up",
    "opened",
    "options",
    "page_of",
    "run_records",
    "tried",
]

P = ParamSpec("P")
T = TypeVar("T")
Parsed = TypeVar("Parsed")
Record = TypeVar("Record", bound=Result)
Model = TypeVar("Model", bound=BaseModel)

CHANGING = (Scope.GALLERY_WRITE, Scope.ADMIN)

scheme = HTTPBearer(auto_error=False, scheme_name=KEY_SCHEME)


@dataclass(frozen=True)
class Call:
    """One request of an application.

    Attributes:
        gallery: the view of the key's application; nothing else can be reached through it.
        changes: it is a POST that changes something, so that an ``Idempotency-Key`` counts.
        engine: the models of the moment in which the request came.
    """

    request: Request
    service: Service
    gallery: Gallery
    changes: bool = False
    engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        """Stay with one engine, whatever is reloaded meanwhile."""
        object.__setattr__(self, "engine", self.service.engine)

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.service.settings

    @property
    def lane(self) -> str:
        """Whose work it is, where applications take turns."""
        return self.gallery.application_name

    @property
    def query(self) -> dict[str, str]:
        """The query's options.

        Raises:
            InvalidArgument: one is given twice.
        """
        pairs = self.request.query_params.multi_items()
        if len(dict(pairs)) != len(pairs):
            raise InvalidArgument("An option is given twice in the query.")
        return {name: value for name, value in pairs if name != OPTION}

    def liveness(self, given: LivenessOptions) -> LivenessCheck:
        """What a request asks for, and never less than the server's own settings do."""
        own = self.settings
        asked = LivenessCheck(
            given.liveness or own.liveness, given.liveness_condition or own.liveness_condition
        )
        return asked.at_least(own)

    @property
    def only_if(self) -> Callable[[Result], None] | None:
        """The request's ``If-Match``, as a check of what is to be changed."""
        return only_if(self.request.headers.get("if-match"))

    def answer(
        self,
        content: Mapping[str, Any],
        *,
        status: int = 200,
        tagged: bool = False,
        at: str | None = None,
    ) -> Response:
        """``content`` plus the request's id.

        Args:
            content: JSON values.
            status: of the answer.
            tagged: with its ``ETag``.
            at: the path of what was made, for ``Location``.
        """
        headers = {REPLAYED: "true"} if getattr(self.request.state, "replayed", False) else {}
        if wanted(self.request):
            headers["Server-Timing"] = server_timing(self.request)
        if at is not None:
            headers["Location"] = f"{self.request.scope.get('root_path', '')}{at}"
        if tagged:
            headers["ETag"] = tag = tag_of(content)
            given = self.request.headers.get("if-none-match", "")
            if self.request.method == "GET" and names(given, tag):
                return Response(status_code=304, headers=headers)
        told = {**content, "request_id": self.request.state.request_id}
        return Answer(told, status_code=status, headers=headers)

    async def with_photos(
        self, work: Callable[[Form], T], *, fields: Sequence[str] = ("image",), max_images: int = 1
    ) -> T:
        """Read the photos of the request, under all limits, and run ``work`` on a worker.

        A full queue is refused before the body is read; the place in it is taken afterwards, so
        that slow clients keep no worker waiting.
        """
        parse = partial(parse_form, fields=fields, max_images=max_images)
        return await self.with_upload(lambda body, kind: parse(body, content_type=kind), work)

    async def with_upload(
        self, parse: Callable[[bytes, str], Parsed], work: Callable[[Parsed], T]
    ) -> T:
        """Read a body under all limits; then, on a worker, parse it and run ``work``.

        Args:
            parse: body and content type -> what ``work`` takes.
            work: the rest.
        """
        kind = self.request.headers.get("content-type", "")
        self.service.inference.refuse_if_full(self.lane)
        with self.service.budget.hold() as holding:
            body = await self.read(self.settings.max_request_bytes, holding)
            job = self._once(_upload_job(body, kind, parse, work), body)
            del body
            return await self.with_models(job)

    async def with_models(self, work: Callable[[], T]) -> T:
        """Run ``work`` on a worker for photos."""
        slot = self.service.inference.admit(self.lane)
        try:
            return await slot.run(work, timeout_s=self.left, gone=self._gone)
        finally:
            slot.abandon()

    async def with_json(self, work: Callable[[dict[str, Any]], T]) -> T:
        """Read a small JSON object and run ``work`` on a worker for records."""
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise UnsupportedMediaType("Send application/json.")
        body = await self.read(RECORD_BYTES)
        return await self.with_records(lambda: work(parse_json(body)), body=body)

    async def with_records(self, work: Callable[[], T], *, body: bytes = b"") -> T:
        """Run ``work`` on a worker for records; ``body``: what the request says."""
        job = self._once(work, body)
        return await run_records(self.request, self.service, job, lane=self.lane)

    async def read(self, limit: int, holding: Holding | None = None) -> bytes:
        """The body, at most ``limit`` bytes, counted in ``holding``."""
        with self.service.reading.hold():
            return await read_body(self.request, limit=limit, timeout_s=self.left, holding=holding)

    def _once(self, work: Callable[[], T], body: bytes) -> Callable[[], T]:
        """``work``, done once for an ``Idempotency-Key``."""
        if not self.changes or HEADER not in self.request.headers:
            return work
        return partial(once, self.request, self.gallery, self.settings, work, body)

    @property
    def left(self) -> float:
        """Seconds until the request's deadline."""
        return _left(self.request, self.service)

    async def _gone(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


def options(model: type[Model], *sources: Mapping[str, Any]) -> Model:
    """The options of a request, from its query and its body; each may be given once.

    Raises:
        InvalidArgument: unknown, given twice, or out of range.
    """
    given: dict[str, Any] = {}
    for source in sources:
        twice = given.keys() & source.keys()
        if twice:
            raise InvalidArgument(f"The option {min(twice)!r} is given twice.")
        given.update(source)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False)) from None


def page_of(
    name: str, found: Sequence[Record], limit: int, *, cursor: Callable[[Record], str]
) -> dict[str, Any]:
    """``{name: [...], "next"}`` of ``found``, which was asked for one more than ``limit``."""
    shown = found[:limit]
    following = cursor(shown[-1]) if len(found) > limit else None
    return {name: [one.to_dict() for one in shown], "next": following}


@dataclass(frozen=True)
class Allowed:
    """A dependency: the request's key is valid and has ``scope``.

    Attributes:
        streams: what it asks for is streamed: without a deadline, and not kept for an
            ``Idempotency-Key``.
    """

    scope: Scope
    streams: bool = False

    @property
    def security(self) -> list[dict[str, list[str]]]:
        """Whom it lets in, in the terms of OpenAPI."""
        return [{KEY_SCHEME: [self.scope.value]}]

    async def __call__(
        self,
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)],
    ) -> Call:
        """The request as a call of its key's application."""
        call = await opened(
            request, self.scope, lambda: bearer(request.headers.get("authorization"))
        )
        return replace(call, changes=False) if self.streams else call

    def does_once(self, method: str) -> bool:
        """Whether a request of this method is done once for its ``Idempotency-Key``."""
        return not self.streams and _changes(self.scope, method)


async def opened(request: Request, scope: Scope, secret_of: Callable[[], str]) -> Call:
    """The request as a call of its key's application.

    Args:
        request: whatever it asks for.
        scope: what its key has to allow.
        secret_of: gives the key's secret, or raises Unauthorized; not asked without ``auth``.

    Raises:
        Unauthorized: no key, or not a valid one.
        Forbidden: the key lacks the scope.
        RateLimited: too many requests with the key, or too many wrong keys from its address.
    """
    service: Service = request.app.state.service
    if not service.settings.auth:
        return _admitted(request, service, service.gallery, scope)
    secret = secret_of()
    access = service.keys.find(secret)
    if access is None:
        look = partial(Access.of, service.gallery, secret)
        access = await looked_up(request, secret, look, service.keys)
    guarded(request, service.guard.use, access.key.id)
    permit(access.key, scope)
    return _admitted(request, service, access.gallery, scope)


def _admitted(request: Request, service: Service, gallery: Gallery, scope: Scope) -> Call:
    """Count a request that may go on."""
    kind = next(iter(getattr(request.scope.get("route"), "tags", ())), "other")
    service.calls.count(gallery.application_name, kind)
    wanted(request)  # refused before anything is done
    return Call(request, service, gallery, _changes(scope, request.method))


def _changes(scope: Scope, method: str) -> bool:
    return scope in CHANGING and method == "POST"


Detecting = Annotated[Call, Depends(Allowed(Scope.DETECT))]
Reading = Annotated[Call, Depends(Allowed(Scope.GALLERY_READ))]
Writing = Annotated[Call, Depends(Allowed(Scope.GALLERY_WRITE))]
Administering = Annotated[Call, Depends(Allowed(Scope.ADMIN))]


def guarded(request: Request, check: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Ask the guard; where it refuses, every dialect's answer gets ``Retry-After``.

    Raises:
        RateLimited: it refuses.
    """
    try:
        check(*args, **kwargs)
    except RateLimited as error:
        request.state.retry_after_s = error.details["retry_after_s"]
        raise


async def looked_up(
    request: Request, secret: str, look: Callable[[], Access], cache: KeyCache
) -> Access:
    """What a key opens, asked in the database; found keys go into the cache.

    Args:
        request: see :func:`tried`.
        secret: the key.
        look: asks (blocking).
        cache: of such keys.

    Raises:
        Unauthorized, RateLimited: see :func:`tried`.
    """
    try:
        access = await tried(request, secret, look)
    except Unauthorized:
        cache.forget(secret)
        raise
    cache.add(secret, access)
    return access


async def tried(request: Request, secret: str, look: Callable[[], T]) -> T:
    """What a secret of any kind opens; one that is wrong is held against its address.

    Args:
        request: whose address is locked out after too many wrong ones.
        secret: a key, a token.
        look: asks the database (blocking).

    Raises:
        Unauthorized: it opens nothing.
        RateLimited: the address has tried too many that were wrong.
    """
    service: Service = request.app.state.service
    address = request.client.host if request.client else None
    guarded(request, service.guard.may_try, address, secret)
    try:
        found = await run_records(request, service, look)
    except Unauthorized:
        service.guard.wrong(address, secret)
        raise
    service.guard.right(secret)
    return found


async def run_records(
    request: Request, service: Service, work: Callable[[], T], *, lane: str = ""
) -> T:
    """Run ``work`` on a worker for records, within the request's deadline.

    Args:
        request: it says how long there is.
        service: its records pool.
        work: the work.
        lane: the application whose work it is.
    """
    slot = service.records.admit(lane)
    try:
        return await slot.run(work, timeout_s=_left(request, service))
    finally:
        slot.abandon()


def _left(request: Request, service: Service) -> float:
    spent: float = time.monotonic() - request.state.started
    return deadline_s(request, service.settings.request_timeout_s) - spent


def _upload_job(
    body: bytes, kind: str, parse: Callable[[bytes, str], Parsed], work: Callable[[Parsed], T]
) -> Callable[[], T]:
    def job() -> T:
        return work(parse(body, kind))

    return job
