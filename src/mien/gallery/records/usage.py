"""Records of use: what an application holds, and counters of its requests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from mien.gallery.records import schema
from mien.gallery.usage import Usage

__all__ = ["add_calls", "of_application"]

TOLD_DAYS = 31
KEPT_DAYS = 400


def of_application(connection: sa.Connection, application_seq: int) -> Usage:
    """How much of everything an application has, and its bytes."""
    own = [
        _count(connection, table, application_seq)
        for table in (schema.groups, schema.persons, schema.consents, schema.jobs)
    ]
    faces = schema.faces.join(schema.persons, schema.persons.c.seq == schema.faces.c.person_seq)
    images = schema.face_images.join(faces, schema.faces.c.seq == schema.face_images.c.face_seq)
    templates = _blobs(connection, faces, schema.faces.c.vector, application_seq)
    pictures = _blobs(connection, images, schema.face_images.c.sealed, application_seq)
    return Usage(
        groups=own[0],
        persons=own[1],
        faces=templates[0],
        images=pictures[0],
        consents=own[2],
        jobs=own[3],
        template_bytes=templates[1],
        image_bytes=pictures[1],
        calls=_calls(connection, application_seq),
    )


def add_calls(
    connection: sa.Connection, application_seq: int, counts: Mapping[tuple[str, str], int]
) -> None:
    """Count requests by day and kind, and forget days that are more than 400 days ago."""
    own = schema.calls.c.application_seq == application_seq
    for (day, kind), number in counts.items():
        at = (own, schema.calls.c.day == day, schema.calls.c.kind == kind)
        more = schema.calls.c.count + number
        if not connection.execute(schema.calls.update().where(*at).values(count=more)).rowcount:
            connection.execute(
                schema.calls.insert().values(
                    application_seq=application_seq, day=day, kind=kind, count=number
                )
            )
    oldest = (datetime.now(UTC) - timedelta(days=KEPT_DAYS)).date().isoformat()
    connection.execute(schema.calls.delete().where(own, schema.calls.c.day < oldest))


def _calls(connection: sa.Connection, application_seq: int) -> dict[str, dict[str, int]]:
    """By day, the newest first, and kind."""
    since = (datetime.now(UTC) - timedelta(days=TOLD_DAYS - 1)).date().isoformat()
    wanted = (
        sa.select(schema.calls.c.day, schema.calls.c.kind, schema.calls.c.count)
        .where(schema.calls.c.application_seq == application_seq, schema.calls.c.day >= since)
        .order_by(schema.calls.c.day.desc(), schema.calls.c.kind)
    )
    found: dict[str, dict[str, int]] = {}
    for day, kind, number in connection.execute(wanted):
        found.setdefault(day, {})[kind] = number
    return found


def _count(connection: sa.Connection, table: sa.Table, application_seq: int) -> int:
    wanted = sa.select(sa.func.count()).select_from(table)
    return connection.scalar(wanted.where(table.c.application_seq == application_seq)) or 0


def _blobs(
    connection: sa.Connection, rows: sa.FromClause, blob: sa.Column[bytes], application_seq: int
) -> tuple[int, int]:
    """How many, and their bytes."""
    size = sa.func.coalesce(sa.func.sum(sa.func.length(blob)), 0)
    wanted = sa.select(sa.func.count(), size).select_from(rows)
    found = connection.execute(
        wanted.where(schema.persons.c.application_seq == application_seq)
    ).one()
    return int(found[0]), int(found[1])
