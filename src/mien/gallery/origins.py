"""Which face came from a photo: a photo that is enrolled already needs no second look."""

from __future__ import annotations

import sqlalchemy as sa

from mien.errors import NotFound
from mien.gallery import checks
from mien.gallery.gallery import Gallery
from mien.gallery.model import StoredFace
from mien.gallery.records import faces
from mien.gallery.records.schema import faces as face_rows

__all__ = ["face_of_photo"]


def face_of_photo(gallery: Gallery, group: str, person: str, sha256: str) -> StoredFace | None:
    """The newest face that a person of a group has of a photo, or None.

    Args:
        gallery: where to look.
        group: name of the group; a group that is not there has no faces.
        person: name or id; a person who is not there has no faces.
        sha256: of the photo's file, in hexadecimal.
    """
    wanted, name = checks.sha256(sha256), checks.person_name(person)
    with gallery._database.reading() as connection:
        try:
            row = gallery._group(connection, group)
            owner = gallery._person(connection, row, name)
        except NotFound:
            return None
        query = (
            sa.select(face_rows.c.id)
            .where(
                face_rows.c.person_seq == owner.seq,
                face_rows.c.contract_seq == row.contract_seq,
                face_rows.c.source_sha256 == wanted,
            )
            .order_by(face_rows.c.seq.desc())
            .limit(1)
        )
        found = connection.execute(query).scalar()
        return None if found is None else faces.find(connection, row, found).face
