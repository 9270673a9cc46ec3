"""An application's groups as one encrypted file, out and in."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack, aclosing
from functools import partial
from typing import IO, Annotated, Any, BinaryIO, cast
from urllib.parse import unquote

from fastapi import APIRouter, Depends
from starlette.responses import Response, StreamingResponse

from mien.errors import InvalidArgument
from mien.gallery import Scope
from mien.gallery.archive import Passphrase
from mien.service.archives import ArchiveAnswer, ArchiveOptions, NewArchive
from mien.service.call import Allowed, Call, options
from mien.service.openapi import BINARY, BODY, errors, json_body, query
from mien.service.streams import receive_into, stream_of

__all__ = ["router"]

router = APIRouter(tags=["archives"])

HEADER = "mien-passphrase"
PASSPHRASE_COST = 17
"""What exports have: 128 MB while a passphrase is checked. A file that is sent may not ask more."""

# A passphrase is not kept, and an export may be asked for twice.
Streaming = Annotated[Call, Depends(Allowed(Scope.ADMIN, streams=True))]

_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The archive, as it is being written. One that is cut off cannot be used.",
        "content": {"application/octet-stream": {"schema": BINARY}},
    }
}
_KEYS = ("key_missing", "key_mismatch")
_UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": BINARY}},
    }
}
_PASSPHRASE = {
    "name": "Mien-Passphrase",
    "in": "header",
    "required": True,
    "description": "That the archive was made with, in UTF-8, percent-encoded.",
    "schema": {"type": "string"},
}


@router.post(
    "/v1/archive/export",
    response_class=Response,
    responses={
        **errors("not_found", *BODY, *_KEYS),
        **_FILE,
    },
    openapi_extra=json_body(NewArchive),
)
async def export_archive(call: Streaming) -> Response:
    """The application's groups with all that is kept of their persons, encrypted.

    The gallery goes on serving meanwhile; the archive is of one moment.
    """
    wanted = await call.with_json(lambda body: options(NewArchive, call.query, body))
    with ExitStack() as place:
        place.enter_context(call.service.archives.hold())
        blocks = stream_of(partial(_export, call, wanted))
        first = await anext(blocks)
        place = place.pop_all()  # given back at the stream's end
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Disposition": 'attachment; filename="gallery.mien"',
    }
    return StreamingResponse(
        _with_first(first, blocks, place), media_type="application/octet-stream", headers=headers
    )


@router.post(
    "/v1/archive/import",
    response_model=ArchiveAnswer,
    responses=errors(
        "archive_unusable",
        "already_exists",
        "embedding_mismatch",
        "limit_exceeded",
        "consent_missing",
        "request_too_large",
        *_KEYS,
    ),
    openapi_extra={
        **_UPLOAD,
        "parameters": [_PASSPHRASE, *query(ArchiveOptions)["parameters"]],
    },
)
async def import_archive(call: Streaming) -> Response:
    """Take in what an archive holds: all of it in one transaction, or nothing."""
    chosen = options(ArchiveOptions, call.query)
    key = _passphrase(call)
    with call.service.archives.hold(), tempfile.TemporaryFile() as file:
        with call.service.reading.hold():
            await receive_into(file, call.request, limit=call.settings.max_archive_bytes)
        return call.answer(await asyncio.to_thread(_import, call, file, key, chosen))


def _export(call: Call, wanted: NewArchive, file: BinaryIO) -> None:
    call.gallery.archive.export(
        file, key=Passphrase(wanted.passphrase), only=wanted.groups, log=wanted.log
    )


def _import(call: Call, file: IO[bytes], key: Passphrase, chosen: ArchiveOptions) -> dict[str, Any]:
    imported = call.gallery.archive.load(
        cast("BinaryIO", file),
        key=key,
        on_conflict=chosen.on_conflict,
        bring_back_erased=chosen.bring_back_erased,
    )
    return imported.to_dict()


async def _with_first(
    first: bytes, blocks: AsyncGenerator[bytes, None], place: ExitStack
) -> AsyncIterator[bytes]:
    with place:
        async with aclosing(blocks):
            yield first
            async for block in blocks:
                yield block


def _passphrase(call: Call) -> Passphrase:
    given = call.request.headers.get(HEADER, "")
    try:
        return Passphrase(unquote(given, errors="strict"), most=PASSPHRASE_COST)
    except UnicodeDecodeError:
        raise InvalidArgument("Mien-Passphrase must be UTF-8, percent-encoded.") from None
