"""From DeepFace's ``database_type`` and ``connection_details`` to a Mien gallery."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from mien.compat.deepface.engines import Backend
from mien.compat.deepface.exceptions import DataTypeError, UnimplementedError, error
from mien.errors import InvalidArgument
from mien.gallery import Gallery

__all__ = ["gallery_url", "opened"]

OURS = ("sqlite", "mien")
THEIRS = [
    "postgres",
    "pgvector",
    "mongo",
    "weaviate",
    "neo4j",
    "pinecone",
    "milvus",
    "qdrant",
    "oracle",
    "mssql",
    "db2",
    "redis",
    "cassandra",
    "mysql",
]


@contextlib.contextmanager
def opened(
    backend: Backend,
    database_type: str,
    connection_details: Any,  # noqa: ANN401 - a path, a URL or a dict
    connection: Any,  # noqa: ANN401
    *,
    create: bool = False,
) -> Iterator[Gallery]:
    """The gallery of one call; it is closed afterwards, unless it is the caller's own.

    Raises:
        InvalidArgument: another kind of database (also ``UnimplementedError``), or details that
            name none (also ``DataTypeError``).
        NotFound: it is not there, and ``create`` is False.
        GalleryUnavailable: it cannot be opened.
    """
    if connection is not None:
        if not isinstance(connection, Gallery):
            raise error(
                InvalidArgument, DataTypeError, "connection is an open mien.Gallery, or None."
            )
        yield connection
        return
    url = gallery_url(database_type, connection_details, backend.engine.settings.gallery_url)
    with Gallery.open(url, create=create) as gallery:
        yield gallery


def gallery_url(database_type: str, details: Any, default: str) -> str:  # noqa: ANN401
    """The gallery's URL.

    Args:
        database_type: ``sqlite`` or ``mien``: both are Mien's gallery.
        details: its URL, a path, or a dict with ``url``, ``database`` or ``path``; None: the
            variable ``DEEPFACE_SQLITE_PATH``, or ``default``.
        default: the settings' own gallery.
    """
    if database_type not in OURS:
        known = database_type in THEIRS
        what = f"{database_type} holds no faces of Mien's" if known else "there is no such database"
        raise error(
            InvalidArgument,
            UnimplementedError,
            f"Unsupported database type: {database_type!r}: {what}. Use 'sqlite' with a path or a "
            "gallery's URL in connection_details.",
        )
    if isinstance(details, Mapping):
        named = [details[name] for name in ("url", "database", "path") if details.get(name)]
        details = named[0] if named else False
    if details is None:
        details = os.environ.get("DEEPFACE_SQLITE_PATH") or default
    if not isinstance(details, str | os.PathLike) or not (text := os.fspath(details)):
        raise error(
            InvalidArgument,
            DataTypeError,
            "connection_details is a path, a gallery's URL, or a dict with 'database'.",
        )
    if "://" in text:
        return text
    return f"sqlite:///{quote(os.path.abspath(text), safe='/: ' + os.sep)}"  # noqa: PTH100
