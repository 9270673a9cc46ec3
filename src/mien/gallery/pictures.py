"""Pictures: the images that a group keeps with its faces."""

from __future__ import annotations

from typing import get_args

from mien.errors import InvalidArgument, NotFound
from mien.gallery import checks
from mien.gallery.curation import Curation
from mien.gallery.policy import FaceImage, ImageKind
from mien.gallery.records import faces, images

__all__ = ["Pictures"]


class Pictures(Curation):
    """The part of :class:`mien.gallery.Gallery` that gives images back."""

    def image(
        self,
        group: str,
        face_id: str,
        *,
        person: str | None = None,
        kind: ImageKind | None = None,
    ) -> FaceImage:
        """The image that is kept with a face.

        Args:
            group: name of the group; face_id: of a face in it.
            person: name or id of whose face it must be; None: anybody's.
            kind: ``crop`` or ``photo``; None: the crop, or else the photo.

        Raises:
            NotFound: no such group or face, not that person's, or no such image is kept with it.
            InvalidArgument: no such kind.
            KeyMissing, KeyMismatch: the master key is not the gallery's.
        """
        if kind is not None and kind not in get_args(ImageKind):
            raise InvalidArgument(f"kind must be one of {', '.join(get_args(ImageKind))}.")
        with self._database.snapshot() as connection:
            row = self._group(connection, group)
            found = faces.find(connection, row, checks.face_id(face_id))
            if person is not None:
                owner = self._person(connection, row, person)
                if owner.seq != found.person_seq:
                    raise NotFound(f"{owner.person.name!r} has no face {face_id!r}.")
            return images.find(connection, found.seq, found.person_seq, found.face.id, kind)
