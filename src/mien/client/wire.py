"""What goes over the wire: requests as data, errors out of answers, and when to try again."""

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

import httpx

from mien import errors

__all__ = [
    "Condition",
    "Photo",
    "Policy",
    "Request",
    "Retries",
    "Wishes",
    "async_blocks_of",
    "blocks_of",
    "delete",
    "error_of",
    "given",
    "new_file",
    "patch",
    "path",
    "photo_post",
    "photos_post",
    "post",
    "sending",
    "unsent",
]

Photo = bytes | str | PathLike[str]
"""A photo: its bytes, or the path of a file, which is streamed."""

Condition = Literal["weak", "balanced", "strict"]
"""How sure a live face must look."""

Policy = Literal["off", "observe", "enforce"]
"""What is done about liveness."""

_BLOCK = 1 << 18
_REFUSED = (429, 503)
"""Statuses of requests that were not begun."""
_UNKNOWN = (502, 504)
"""Statuses after which nobody knows whether the request was done."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as data.

    Attributes:
        method, address: where to.
        query: options in the address.
        json: a JSON body.
        files: field names and photos of a multipart body; fields: its options.
        upload: a file that is the whole body, streamed.
        key: of a request that changes something, so that it can be sent again.
        headers: more headers.
        repeatable: sending it again does no harm, even if it was done.
    """

    method: str
    address: str
    query: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    files: Sequence[tuple[str, Photo]] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    upload: str | PathLike[str] | None = None
    key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Retries:
    """When a request is sent again.

    A refused one (429, 503) always; one whose answer never came, or came too late, only where that
    does no harm: it changes nothing, or it has an idempotency key.

    Attributes:
        most: times that a request is sent again; 0: never.
        wait_s: before the first time, doubled for each; what ``Retry-After`` says counts more.
        longest_s: that is waited at once.
    """

    most: int = 3
    wait_s: float = 0.25
    longest_s: float = 30.0

    def pause(self, attempt: int, answer: httpx.Response | None, request: Request) -> float:
        """Seconds to wait after the attempt of this number, from 0; negative: do not try again."""
        if attempt >= self.most:
            return -1.0
        if answer is None or answer.status_code in _UNKNOWN:
            if not request.repeatable:
                return -1.0
        elif answer.status_code not in _REFUSED and not _in_progress(answer):
            return -1.0
        told = None if answer is None else _retry_after(answer.headers.get("retry-after", ""))
        wait = self.wait_s * 2**attempt if told is None else told
        return min(self.longest_s, wait * random.uniform(1.0, 1.25))  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a client asks for with every request.

    Attributes:
        retries: when a request is sent again.
        timeout_s: for connecting, and between two pieces of an answer; None: the client's own.
        headers: of every request.
    """

    retries: Retries
    timeout_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def changed(
        self,
        *,
        timeout_s: float | None,
        deadline_s: float | None,
        request_id: str | None,
        retries: Retries | None,
    ) -> Wishes:
        """These wishes but for what is given; see :meth:`mien.client.Client.with_options`."""
        told = given(**{"X-Deadline-S": deadline_s, "X-Request-ID": request_id})
        return Wishes(
            self.retries if retries is None else retries,
            self.timeout_s if timeout_s is None else timeout_s,
            {**self.headers, **told},
        )

    def arguments(self) -> dict[str, Any]:
        """The part of them that httpx takes."""
        return {} if self.timeout_s is None else {"timeout": self.timeout_s}


def post(
    address: str,
    *,
    json: Any = None,  # noqa: ANN401 - JSON values
    files: Sequence[tuple[str, Photo]] = (),
    fields: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    key: str | None = None,
) -> Request:
    """A ``POST`` that changes something: with an idempotency key, a random one if none is given."""
    return Request(
        "POST", address, query or {}, json, files, fields or {}, key=key or uuid.uuid4().hex
    )


def photo_post(address: str, photo: Photo, fields: Mapping[str, str]) -> Request:
    """A ``POST`` of a photo that changes nothing."""
    return photos_post(address, [photo], fields)


def photos_post(address: str, photos: Sequence[Photo], fields: Mapping[str, str]) -> Request:
    """A ``POST`` of photos that changes nothing."""
    return Request("POST", address, files=[("image", one) for one in photos], fields=fields)


def patch(address: str, changes: Mapping[str, object], only_if: str | None) -> Request:
    """A ``PATCH``; ``only_if``: an ETag."""
    headers = {} if only_if is None else {"If-Match": only_if}
    return Request("PATCH", address, json=dict(changes), headers=headers, repeatable=False)


def delete(address: str, only_if: str | None = None) -> Request:
    """A ``DELETE``; ``only_if``: an ETag."""
    headers = {} if only_if is None else {"If-Match": only_if}
    return Request("DELETE", address, headers=headers, repeatable=False)


def path(template: str, *names: str) -> str:
    """An address with names in it, percent-encoded.

    Raises:
        InvalidArgument: a name that cannot stand in an address.
    """
    for name in names:
        if name in ("", ".", "..") or "/" in name:
            raise errors.InvalidArgument(
                f"{name!r} cannot stand in an address: use the id.", details={"field": "name"}
            )
    return template.format(*(quote(name, safe="") for name in names))


def given(**options: object) -> dict[str, str]:
    """The options that are not None, as text."""
    return {name: _text(value) for name, value in options.items() if value is not None}


@contextmanager
def sending(
    request: Request, wishes: Wishes, blocks_of: Callable[[BinaryIO], object]
) -> Iterator[dict[str, Any]]:
    """The arguments for httpx; files are open meanwhile.

    Args:
        request: what to send.
        wishes: of the client.
        blocks_of: a file as a body: :func:`blocks_of` or :func:`async_blocks_of`.

    Raises:
        ImageNotFound: a photo's file cannot be read.
    """
    headers = {**wishes.headers, **request.headers}
    if request.key is not None:
        headers["Idempotency-Key"] = request.key
    with ExitStack() as open_files:
        arguments: dict[str, Any] = {
            "method": request.method,
            "url": request.address,
            "params": dict(request.query),
            "headers": headers,
            **wishes.arguments(),
        }
        if request.json is not None:
            arguments["json"] = request.json
        if request.upload is not None:
            arguments["content"] = blocks_of(_opened(request.upload, open_files))
            headers["Content-Type"] = "application/octet-stream"
        if request.files:
            arguments["data"] = dict(request.fields)
            arguments["files"] = [
                (name, _file(name, photo, open_files)) for name, photo in request.files
            ]
        yield arguments


def blocks_of(file: BinaryIO) -> Iterator[bytes]:
    """A file as a body."""
    return iter(partial(file.read, _BLOCK), b"")


async def async_blocks_of(file: BinaryIO) -> AsyncIterator[bytes]:
    """A file as a body of the async client."""
    while block := await asyncio.to_thread(file.read, _BLOCK):
        yield block


@contextmanager
def new_file(name: str | PathLike[str]) -> Iterator[BinaryIO]:
    """A new file that only its owner can read; deleted again where the block raises.

    Raises:
        ArchiveUnusable: there is one already, or it cannot be written.
    """
    file = Path(name)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as opened:
                yield opened
        except BaseException:
            file.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise errors.ArchiveUnusable(
            f"{file.name!r} cannot be written: {error.strerror}."
        ) from None


def error_of(answer: httpx.Response) -> errors.MienError:
    """The error that an answer tells, as the class of its ``code``.

    A code without a class becomes a ``ServiceError`` (or, below 500, an ``InvalidArgument``) that
    has the code. ``details["request_id"]`` finds the request in the server's log.
    """
    try:
        content = answer.json()
        told = content["error"]
        code, message, details = told["code"], told["message"], dict(told["details"])
        details.setdefault("request_id", content.get("request_id", ""))
    except (ValueError, KeyError, TypeError):
        code, details = "", {"status": answer.status_code}
        message = f"The server answered {answer.status_code}, and not as Mien does."
    classes = {one.code: one for one in _tree(errors.MienError)}
    if code in classes:
        return classes[code](message, details=details)
    base = errors.InvalidArgument if answer.status_code < 500 else errors.ServiceError
    kind = type(base.__name__, (base,), {"code": code}) if code else base
    return kind(message, details=details)


def unsent(error: httpx.TransportError) -> errors.MienError:
    """A connection that failed, as an error of Mien."""
    if isinstance(error, httpx.TimeoutException):
        return errors.DeadlineExceeded("The server did not answer in time.")
    return errors.ServiceError("The server cannot be reached: is it running at this address?")


def _retry_after(told: str) -> float | None:
    """Seconds of a ``Retry-After``: a number, or a date (RFC 9110, 10.2.3)."""
    if told.isdecimal():
        return float(told)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0.0, until.timestamp() - time.time())


def _in_progress(answer: httpx.Response) -> bool:
    if answer.status_code != 409:
        return False
    return error_of(answer).details.get("reason") == "in_progress"


def _file(name: str, photo: Photo, open_files: ExitStack) -> tuple[str, bytes | BinaryIO]:
    if isinstance(photo, bytes | bytearray | memoryview):
        return name, bytes(photo)
    return Path(photo).name, _opened(photo, open_files)


def _opened(name: str | PathLike[str], open_files: ExitStack) -> BinaryIO:
    file = Path(name)
    try:
        return open_files.enter_context(file.open("rb"))
    except OSError:
        raise errors.ImageNotFound(f"{file.name!r} cannot be read.") from None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def _tree(kind: type[errors.MienError]) -> Iterator[type[errors.MienError]]:
    """The classes of Mien's own errors, each code's base first."""
    if kind.__module__ == errors.__name__:
        yield kind
        for child in kind.__subclasses__():
            yield from _tree(child)
