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

__all__ = ["ApplicationRow", "allow", "create", "ensure", "find", "page"]


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


def find(connection: sa.Connection, name: str) -> ApplicationRow:
    """The application of that name.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(_BY_NAME, {"name": name}).one_or_none()
    if row is None:
        raise NotFound(f"There is no application {name!r}.")
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
    owner = find(connection, name)
    this = applications.c.seq == owner.seq
    stored = connection.execute(sa.select(applications.c.settings).where(this)).scalar_one()
    settings = {**json.loads(stored), "attributes": sorted(attributes)}
    connection.execute(applications.update().where(this), {"settings": json.dumps(settings)})
    return find(connection, name).application


def page(connection: sa.Connection, *, after: str | None, limit: int) -> list[Application]:
    """Applications by name, those after ``after``."""
    query = _COLUMNS.order_by(applications.c.name).limit(limit)
    if after is not None:
        query = query.where(applications.c.name > after)
    return [_row(row).application for row in connection.execute(query)]


def _row(row: sa.Row[*tuple[Any, ...]]) -> ApplicationRow:
    allowed = frozenset(json.loads(row.settings).get("attributes", ()))
    return ApplicationRow(row.seq, Application(row.id, row.name, row.created_at, allowed))
