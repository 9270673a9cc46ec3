"""Rows of the images that are kept with faces, sealed like templates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa

from mien.errors import LimitExceeded, NotFound
from mien.gallery.policy import FaceImage, ImageKind
from mien.gallery.records.kept import image_context
from mien.gallery.records.schema import face_images, faces
from mien.gallery.records.vault import vault_of

__all__ = ["copy", "find", "keep", "kept_with", "kinds_of"]


def keep(
    connection: sa.Connection,
    person_seq: int,
    face_seq: int,
    face_id: str,
    images: Sequence[FaceImage],
    *,
    most_bytes: int,
) -> None:
    """Store images of a person's face, sealed with the person's key.

    Raises:
        LimitExceeded: an image is longer than ``most_bytes``.
        KeyMissing, KeyMismatch: the master key is not the gallery's; nothing is written.
    """
    for image in images:  # one at a time: they may be large
        if len(image.data) > most_bytes:
            raise LimitExceeded(
                f"An image that is kept may have {most_bytes} bytes: send a smaller one.",
                details={"limit": most_bytes},
            )
        secret = (image.data, image_context(face_id, image.kind))
        (sealed,) = vault_of(connection).seal_for(connection, person_seq, [secret])
        connection.execute(
            face_images.insert().values(
                face_seq=face_seq, kind=image.kind, media_type=image.media_type, sealed=sealed
            )
        )


def find(
    connection: sa.Connection,
    face_seq: int,
    person_seq: int,
    face_id: str,
    kind: ImageKind | None,
) -> FaceImage:
    """The image of that kind that is kept with a face; None: the crop, or else the photo.

    Raises:
        NotFound: there is none.
        KeyMissing, KeyMismatch: the master key is not the gallery's, or the image was changed.
    """
    query = sa.select(face_images.c.kind, face_images.c.media_type, face_images.c.sealed)
    query = query.where(face_images.c.face_seq == face_seq)
    if kind is not None:
        query = query.where(face_images.c.kind == kind)
    row = connection.execute(query.order_by(face_images.c.kind).limit(1)).first()
    if row is None:
        what = "image" if kind is None else kind
        raise NotFound(
            f"No {what} is kept with the face {face_id!r}: set the group's 'images' to 'crops' or "
            "'photos' before enrolling.",
            details={"face": face_id},
        )
    sealed = (person_seq, bytes(row.sealed), image_context(face_id, row.kind))
    (data,) = vault_of(connection).open_for(connection, [sealed])
    return FaceImage(row.kind, row.media_type, data)


def kinds_of(
    connection: sa.Connection, face_seqs: Collection[int]
) -> Mapping[int, tuple[ImageKind, ...]]:
    """Which kinds of images are kept with those faces; a face without any is left out."""
    query = sa.select(face_images.c.face_seq, face_images.c.kind).where(
        face_images.c.face_seq.in_(face_seqs)
    )
    found: dict[int, tuple[ImageKind, ...]] = {}
    for row in connection.execute(query.order_by(face_images.c.face_seq, face_images.c.kind)):
        found[row.face_seq] = (*found.get(row.face_seq, ()), row.kind)
    return found


def kept_with(connection: sa.Connection, face_ids: Collection[str]) -> set[str]:
    """Those of the faces that an image is kept with."""
    query = sa.select(faces.c.id).join(face_images, face_images.c.face_seq == faces.c.seq)
    return set(connection.execute(query.where(faces.c.id.in_(face_ids)).distinct()).scalars())


def copy(connection: sa.Connection, face_seq: int, to_seq: int, to_id: str) -> None:
    """Keep the images of a face with another face of the same person too."""
    query = sa.select(faces.c.id, faces.c.person_seq).where(faces.c.seq == face_seq)
    face = connection.execute(query).one()
    for kind in kinds_of(connection, [face_seq]).get(face_seq, ()):
        image = find(connection, face_seq, face.person_seq, face.id, kind)
        size = len(image.data)
        keep(connection, face.person_seq, to_seq, to_id, [image], most_bytes=size)
