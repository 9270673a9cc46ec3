"""Pictures: the images that a group keeps with its faces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from mien.errors import InvalidArgument, NotFound
from mien.gallery import checks
from mien.gallery.access import MAX_PAGE
from mien.gallery.curation import Curation
from mien.gallery.policy import FaceImage, ImageKind
from mien.gallery.records import faces, images

__all__ = ["Pictures"]


class Pictures(Curation):
    """The part of :class:`mien.gallery.Gallery` that gives images back."""

    def with_image(self, group: str, face_ids: Iterable[str]) -> set[str]:
        """Those of a group's faces that an image is kept with.

        Args:
            group: name of the group; face_ids: of at most 1000 faces; those that are not in the
                group are left out.

        Raises:
            NotFound: no such group.
            InvalidArgument: more than 1000 faces.
        """
        wanted = sorted(set(face_ids))
        if len(wanted) > MAX_PAGE:
            raise InvalidArgument(f"Ask for at most {MAX_PAGE} faces at once.")
        with self._database.snapshot() as connection:
            inside = faces.by_id(connection, self._group(connection, group), wanted)
            return images.kept_with(connection, [face.id for face in inside])

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
