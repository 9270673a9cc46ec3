"""The async client is the sync one with ``await``, and the shapes are those of the service.

After a change of ``sync.py``: ``MIEN_UPDATE_CLIENT=1 pytest tests/client/test_mirror.py``.
"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mien.client
from mien.client import AsyncClient, Client, more_shapes, shapes
from mien.service import archives, changes, inventory, privacy, schemas, searches

FOLDER = Path(mien.client.__file__).parent
SCHEMAS = {
    name: kind
    for module in (schemas, changes, privacy, searches, inventory, archives)
    for name, kind in vars(module).items()
    if inspect.isclass(kind) and kind.__module__ == module.__name__
}
SHAPES = {
    name: getattr(module, name) for module in (shapes, more_shapes) for name in module.__all__
}
CHANGES = [
    (r"^\"\"\".*?\"\"\"\n", '"""AsyncClient: made of ``sync.py``; change that, not this."""\n'),
    (r"\bimport time\n", "import asyncio\nimport time\n"),
    (r"\bClient\b", "AsyncClient"),
    (r"httpx\.BaseTransport", "httpx.AsyncBaseTransport"),
    (r"Safe to use from several threads at once; close", "For one event loop; close"),
    (r">>> with AsyncClient\((.*) as client:", r">>> async with AsyncClient(\1 as client:"),
    (r"\.\.\.     client\.(\w+)(\([^\n]*\))\[", r"...     (await client.\1\2)["),
    (r"\.\.\.     client\.", "...     await client."),
    (r"def close\(", "async def aclose("),
    (r"self\._http\.close\(\)", "await self._http.aclose()"),
    (r"self\.close\(\)", "await self.aclose()"),
    (r"def __(enter|exit)__", r"async def __a\1__"),
    (r"\bIterator\b", "AsyncIterator"),
    (r"for one in self\._pages", "async for one in self._pages"),
    (r"(?m)^    def (?!__)", "    async def "),
    (r"\bblocks_of\b", "async_blocks_of"),
    (r"with self\._http\.stream", "async with self._http.stream"),
    (r"answer\.read\(\)", "await answer.aread()"),
    (r"for block in answer\.iter_bytes", "async for block in answer.aiter_bytes"),
    (r"self\._http\.request", "await self._http.request"),
    (r"self\._ask\(", "await self._ask("),
    (r"self\._send\((.*)\)\.content", r"(await self._send(\1)).content"),
    (r"= self\._send\(", "= await self._send("),
    (r"= self\.job\(", "= await self.job("),
    (r"time\.sleep", "await asyncio.sleep"),
]


def mirrored():
    text = (FOLDER / "sync.py").read_text()
    for pattern, replacement in CHANGES:
        text, count = re.subn(
            pattern, replacement, text, flags=re.DOTALL if "?" in pattern[:8] else 0
        )
        assert count, pattern
    return text


def squeezed(text):
    """The words of a file: the formatter may break lines elsewhere."""
    return re.sub(r",(?=[)\]}])", "", re.sub(r"\s+", "", text))


def test_the_async_client_is_the_sync_one():
    file = FOLDER / "asynchronous.py"
    if os.environ.get("MIEN_UPDATE_CLIENT"):
        file.write_text(mirrored())
    assert squeezed(file.read_text()) == squeezed(mirrored())


def test_both_have_the_same_methods():
    def public(kind):
        return {name for name in vars(kind) if not name.startswith("_")} - {"close", "aclose"}

    assert public(Client) == public(AsyncClient)


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_shape_is_the_one_of_the_service(name):
    shape, schema = SHAPES[name], SCHEMAS[name]
    fields = schema.model_fields
    assert set(shape.__annotations__) >= set(inspect.get_annotations(schema)) - {"model_config"}
    every = {key for kind in (shape, *_bases(name)) for key in kind.__annotations__}
    assert every == set(fields)
    optional = {
        key
        for kind in (shape, *_bases(name))
        for key, value in kind.__annotations__.items()
        if "NotRequired" in str(value)
    }
    assert optional == {key for key, field in fields.items() if not field.is_required()}


def _bases(name):
    return [SHAPES[one.__name__] for one in SCHEMAS[name].__mro__ if one.__name__ in SHAPES]


def test_every_answer_has_its_shape():
    answers = {
        name
        for name, kind in SCHEMAS.items()
        if issubclass(kind, schemas.Shape) and kind is not schemas.Shape
    }
    assert answers <= set(SHAPES)


def test_it_needs_neither_the_service_nor_the_engine():
    code = (
        "import sys, mien.client; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('fastapi', 'numpy', 'pydantic', "
        "'sqlalchemy') or m.startswith(('mien.service', 'mien.engine', 'mien.gallery'))]; "
        "sys.exit(', '.join(bad) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
