"""Call: one authorised request, and how its work gets from the event loop to a worker."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from mien.config import Settings
from mien.engine import Engine, LivenessCheck
from mien.errors import InvalidArgument, UnsupportedMediaType
from mien.gallery import Gallery, Scope
from mien.service.auth import Access, bearer, permit
from mien.service.errors import Answer, invalid
from mien.service.etags import names, only_if, tag_of
from mien.service.images import Form, parse_form, parse_json
from mien.service.limits import RECORD_BYTES, Holding, read_body
from mien.service.once import HEADER, REPLAYED, once
from mien.service.schemas import LivenessOptions
from mien.service.state import Service
from mien.service.timings import OPTION, Timings
from mien.types import Result

__all__ = ["Administering", "Call", "Detecting", "Reading", "Writing", "options", "page_of"]

T = TypeVar("T")
Parsed = TypeVar("Parsed")
Record = TypeVar("Record", bound=Result)
Model = TypeVar("Model", bound=BaseModel)

CHANGING = (Scope.GALLERY_WRITE, Scope.ADMIN)

scheme = HTTPBearer(
    auto_error=False, scheme_name="API key", description="`mien keys create --app NAME` makes one."
)


@dataclass(frozen=True)
class Call:
    """One request of an application.

    Attributes:
        gallery: the view of the key's application; nothing else can be reached through it.
        changes: it is a POST that changes something, so that an ``Idempotency-Key`` counts.
    """

    request: Request
    service: Service
    gallery: Gallery
    changes: bool = False

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.service.engine

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.service.settings

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

    @property
    def timings(self) -> Timings:
        """Where the request's time goes."""
        return Timings(self.request)

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
        self, content: Mapping[str, Any], *, status: int = 200, tagged: bool = False
    ) -> Response:
        """``content`` plus the request's id; ``tagged``: with its ``ETag``."""
        headers = {REPLAYED: "true"} if getattr(self.request.state, "replayed", False) else {}
        if self.timings.wanted:
            headers["Server-Timing"] = self.timings.header()
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
        inference = self.service.inference
        inference.refuse_if_full()
        with self.service.budget.hold() as holding:
            body = await self._body(self.settings.max_request_bytes, holding)
            job = self.timings.of(self._once(_upload_job(body, kind, parse, work), body))
            del body
            slot = inference.admit()
            try:
                return await slot.run(job, timeout_s=self._left(), gone=self._gone)
            finally:
                slot.abandon()

    async def with_json(self, work: Callable[[dict[str, Any]], T]) -> T:
        """Read a small JSON object and run ``work`` on a worker for records."""
        kind = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise UnsupportedMediaType("Send application/json.")
        body = await self._body(RECORD_BYTES)
        return await self.with_records(lambda: work(parse_json(body)), body=body)

    async def with_records(self, work: Callable[[], T], *, body: bytes = b"") -> T:
        """Run ``work`` on a worker for records; ``body``: what the request says."""
        job = self.timings.of(self._once(work, body))
        return await _run_records(self.request, self.service, job)

    def _once(self, work: Callable[[], T], body: bytes) -> Callable[[], T]:
        """``work``, done once for an ``Idempotency-Key``."""
        if not self.changes or HEADER not in self.request.headers:
            return work
        return partial(once, self.request, self.gallery, self.settings, work, body)

    async def _body(self, limit: int, holding: Holding | None = None) -> bytes:
        with self.service.reading.hold(), self.timings.stage("read"):
            return await read_body(
                self.request, limit=limit, timeout_s=self._left(), holding=holding
            )

    def _left(self) -> float:
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


def allowed(scope: Scope) -> Callable[..., Awaitable[Call]]:
    """A dependency: the request's key is valid and has ``scope``."""

    async def authorise(
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Depends(scheme)],
    ) -> Call:
        service: Service = request.app.state.service
        if not service.settings.auth:
            return _admitted(request, service, service.gallery, scope)
        secret = bearer(request.headers.get("authorization"))
        access = service.keys.find(secret)
        if access is None:
            access = await _run_records(
                request, service, partial(Access.of, service.gallery, secret)
            )
            service.keys.add(secret, access)
        permit(access.key, scope)
        return _admitted(request, service, access.gallery, scope)

    return authorise


def _admitted(request: Request, service: Service, gallery: Gallery, scope: Scope) -> Call:
    """Count a request that may go on."""
    kind = next(iter(getattr(request.scope.get("route"), "tags", ())), "other")
    service.calls.count(gallery.application_name, kind)
    call = Call(request, service, gallery, scope in CHANGING and request.method == "POST")
    _ = call.timings.wanted  # refused before anything is done
    return call


Detecting = Annotated[Call, Depends(allowed(Scope.DETECT))]
Reading = Annotated[Call, Depends(allowed(Scope.GALLERY_READ))]
Writing = Annotated[Call, Depends(allowed(Scope.GALLERY_WRITE))]
Administering = Annotated[Call, Depends(allowed(Scope.ADMIN))]


async def _run_records(request: Request, service: Service, work: Callable[[], T]) -> T:
    slot = service.records.admit()
    try:
        return await slot.run(work, timeout_s=_left(request, service))
    finally:
        slot.abandon()


def _left(request: Request, service: Service) -> float:
    spent: float = time.monotonic() - request.state.started
    return service.settings.request_timeout_s - spent


def _upload_job(
    body: bytes, kind: str, parse: Callable[[bytes, str], Parsed], work: Callable[[Parsed], T]
) -> Callable[[], T]:
    def job() -> T:
        return work(parse(body, kind))

    return job
