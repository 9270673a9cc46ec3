"""Rows of applications."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from mien.errors import AlreadyExists, NotFound
from mien.gallery.model import Application
from mien.gallery.records.schema import applications

__all__ = [
    "ApplicationRow",
    "allow",
    "allow_nhn_v1",
    "create",
    "ensure",
    "find",
    "find_by_id",
    "page",
]


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    """An application and its number."""

    seq: int
    application: Application


_COLUMNS = sa.select(
    applications.c.seq,
    applications.c.id,
    applications.c.name,
    applications.c.created_at,
    applications.c.settings,
)
_BY_NAME = _COLUMNS.where(applications.c.name == sa.bindparam("name"))
_BY_ID = _COLUMNS.where(applications.c.id == sa.bindparam("id"))


def find(connection: sa.Connection, name: str) -> ApplicationRow:
    """The application of that name.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(_BY_NAME, {"name": name}).one_or_none()
    if row is None:
        raise NotFound(f"There is no application {name!r}.")
    return _row(row)


def find_by_id(connection: sa.Connection, application_id: str) -> ApplicationRow:
    """The application of that id.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(_BY_ID, {"id": application_id}).one_or_none()
    if row is None:
        raise NotFound("There is no application of that id.")
    return _row(row)


def create(connection: sa.Connection, name: str) -> Application:
    """A new application.

    Raises:
        AlreadyExists: the name is taken.
    """
    if connection.execute(_BY_NAME, {"name": name}).first() is not None:
        raise AlreadyExists(f"There is an application {name!r} already.")
    application = Application(uuid.uuid4().hex, name, datetime.now(UTC))
    connection.execute(
        applications.insert(),
        {"id": application.id, "name": name, "created_at": application.created_at},
    )
    return application


def ensure(connection: sa.Connection, name: str) -> None:
    """Create the application if it is not there."""
    if connection.execute(_BY_NAME, {"name": name}).first() is None:
        create(connection, name)


def allow(connection: sa.Connection, name: str, attributes: Iterable[str]) -> Application:
    """Let the application have these attributes answered, and no others that are restricted.

    Raises:
        NotFound: there is none of that name.
    """
    return _set(connection, name, attributes=sorted(attributes))


def allow_nhn_v1(connection: sa.Connection, name: str, allowed: bool) -> Application:
    """Let the application's id alone open version 1.0 of the NHN dialect, or no longer.

    Raises:
        NotFound: there is none of that name.
    """
    return _set(connection, name, nhn_v1=allowed)


def _set(connection: sa.Connection, name: str, **changes: list[str] | bool) -> Application:
    owner = find(connection, name)
    this = applications.c.seq == owner.seq
    stored = connection.execute(sa.select(applications.c.settings).where(this)).scalar_one()
    settings = {**json.loads(stored), **changes}
    connection.execute(applications.update().where(this), {"settings": json.dumps(settings)})
    return find(connection, name).application


def page(connection: sa.Connection, *, after: str | None, limit: int) -> list[Application]:
    """Applications by name, those after ``after``."""
    query = _COLUMNS.order_by(applications.c.name).limit(limit)
    if after is not None:
        query = query.where(applications.c.name > after)
    return [_row(row).application for row in connection.execute(query)]


def _row(row: sa.Row[*tuple[Any, ...]]) -> ApplicationRow:
    settings = json.loads(row.settings)
    allowed = frozenset(settings.get("attributes", ()))
    nhn_v1 = bool(settings.get("nhn_v1", False))
    return ApplicationRow(row.seq, Application(row.id, row.name, row.created_at, allowed, nhn_v1))
