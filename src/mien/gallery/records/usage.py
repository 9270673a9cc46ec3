"""Records of use: what an application holds, and counters of its requests."""

from __future__ import annotations

import sqlalchemy as sa

from mien.gallery.records import schema
from mien.gallery.usage import Usage

__all__ = ["of_application"]


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
    )


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
