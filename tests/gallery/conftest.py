"""Fixtures of the gallery's tests: every database that a gallery can lie in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from mien.gallery import Gallery
from mien.testing.galleries import random_contract
from mien.testing.milvus import MilvusServer, milvus_programs
from mien.testing.postgres import PostgresServer
from mien.types import EmbeddingContract


@pytest.fixture(scope="session")
def migrated(postgres_server: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database with tables and nothing in them, which others are copied from."""
    with postgres_server.database() as url:
        Gallery.open(url).close()
        yield url.rpartition("/")[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of database."""
    return str(request.param)


@pytest.fixture
def databases(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[..., str]]:
    """Gives URLs of new galleries; with ``empty=True`` of databases without tables."""
    with ExitStack() as stack:
        if kind == "sqlite":
            names = (f"faces{number}.db" for number in count(1))
            yield lambda empty=False: f"sqlite:///{tmp_path / next(names)}"
            return
        server: PostgresServer = request.getfixturevalue("postgres_server")

        def new(*, empty: bool = False) -> str:
            template = "template0" if empty else request.getfixturevalue("migrated")
            return stack.enter_context(server.database(template))

        yield new


@pytest.fixture
def empty_url(databases: Callable[..., str]) -> str:
    """A database without tables; in SQLite not even a file."""
    return databases(empty=True)


@pytest.fixture
def url(databases: Callable[..., str]) -> str:
    return databases()


@pytest.fixture
def gallery(url: str) -> Iterator[Gallery]:
    with Gallery.open(url) as opened:
        yield opened


@pytest.fixture(scope="session")
def milvus_lite(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of a Milvus Lite, which lives in this process."""
    for module in ("pymilvus", "milvus_lite"):
        pytest.importorskip(module, reason=f"no {module}: pip install 'mien[milvus]'")
    return str(tmp_path_factory.mktemp("lite") / "index.db")


@pytest.fixture(scope="session")
def milvus_server() -> Iterator[MilvusServer]:
    """A standalone Milvus that goes down with the tests."""
    if not os.environ.get("MIEN_MILVUS"):
        pytest.skip("starts a Milvus server: MIEN_MILVUS=1 (make test-milvus)")
    pytest.importorskip("pymilvus", reason="no pymilvus: pip install 'mien[milvus]'")
    programs = milvus_programs()
    if programs is None:
        pytest.skip("no Milvus server: pip install milvus==2.3.5 (Linux on x86_64)")
    with MilvusServer(programs) as server:
        yield server


@pytest.fixture
def contract() -> EmbeddingContract:
    return random_contract(8)
