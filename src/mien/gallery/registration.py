"""Registration: faces come into a gallery, are listed, and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import sqlalchemy as sa

from mien.errors import InvalidArgument
from mien.gallery import checks
from mien.gallery.access import MAX_PAGE, Check, page_size
from mien.gallery.model import StoredFace
from mien.gallery.pictures import Pictures
from mien.gallery.policy import FaceImage, GroupSettings, kinds_kept
from mien.gallery.records import consents, faces, job_gone, kept, vectors
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.persons import PersonRow
from mien.types import Box, EmbeddingContract, Embeddings

__all__ = ["Registration"]


class Registration(Pictures):
    """The part of :class:`mien.gallery.Gallery` that keeps faces and their templates."""

    def add_faces(
        self,
        group: str,
        person: str | None,
        embeddings: Embeddings,
        *,
        contract: EmbeddingContract,
        source_sha256: str | None = None,
        boxes: Sequence[Box | None] | None = None,
        qualities: Sequence[float | None] | None = None,
        external_image_id: str | None = None,
        user_data: str | None = None,
        images: Sequence[Sequence[FaceImage]] | None = None,
        create_person: bool = False,
        job_id: str | None = None,
    ) -> list[StoredFace]:
        """Register faces of a person in one transaction.

        Args:
            group: name of the group; person: name or id of the person. None: each face gets an
                anonymous person, who is called by the id and left out of listings.
            embeddings: of n faces, of unit length.
            contract: what they were made with.
            source_sha256: SHA-256 of the photo that they come from, in hexadecimal.
            boxes: where each is in that photo, pixels. Needed for several faces of one photo.
            qualities: of each face's image, 0 to 1, or None where it is not known.
            external_image_id: the caller's own number for the photo, 1 to 255 printable characters.
            user_data: what the caller wants to keep with each face.
            images: of each face, what could be kept; of them is kept, sealed, what the group's
                setting ``images`` says.
            create_person: make the person in the same transaction where missing.
            job_id: the job that asks for it, which does not bring back who was erased meanwhile.

        Raises:
            NotFound: no such group or person, or one who was erased after the job was made.
            EmbeddingMismatch: not the group's contract.
            InvalidArgument: embeddings that are not finite or not of unit length; a bad hash.
            AlreadyExists: the person has this face of this photo: the same SHA-256, and the
                boxes cover each other by half (intersection over union) or one is not known.
            LimitExceeded: the group is full, or an image is too long.
            ConsentMissing: the group demands consent, and there is none in force.
        """
        checked = checks.vectors(embeddings.vector, contract)
        facts = faces.FaceFacts(checks.external_id(external_image_id), self._user_data(user_data))
        origin = _source(source_sha256, boxes, qualities, facts, len(embeddings))
        if images is not None and len(images) != len(embeddings):
            raise InvalidArgument(f"{len(embeddings)} faces need as many lists of images.")
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            checks.contracts_agree(group, row.group.contract, contract)
            wanted = Embeddings(checked, embeddings.norm)
            origin = replace(origin, images=_kept(images, row.group.settings))
            if person is None:
                stored = [
                    face
                    for i in range(len(wanted))
                    for face in self._register(
                        connection,
                        row,
                        self._new_person(connection, row, None),
                        Embeddings(wanted.vector[i : i + 1], wanted.norm[i : i + 1]),
                        origin.only(i),
                    )
                ]
            else:
                if job_id is not None:
                    name = checks.person_name(person)
                    job_gone.refuse(connection, self._application.seq, job_id, name)
                find = self._ensured if create_person else self._person
                found = find(connection, row, checks.person_name(person))
                stored = self._register(connection, row, found, wanted, origin)
        self._searcher.follow(row.seq)
        return stored

    def _register(
        self,
        connection: sa.Connection,
        row: GroupRow,
        person: PersonRow,
        embeddings: Embeddings,
        origin: faces.Source,
    ) -> list[StoredFace]:
        consents.need(connection, row, person)
        stored = faces.add(connection, row, person, embeddings, origin, limits=self._limits)
        if row.group.settings.retain_idle_s is not None:  # who is enrolled is here
            kept.mark_seen(connection, [person.seq], datetime.now(UTC))
        group = row.group.name
        self._log(connection, "faces.add", person.person.id, group=group, faces=len(stored))
        return stored

    def faces(
        self,
        group: str,
        person: str | None = None,
        *,
        after: str | None = None,
        limit: int = 100,
        external_image_id: str | None = None,
        newest_first: bool = False,
    ) -> list[StoredFace]:
        """Faces of a group, or of one person in it, oldest first.

        Args:
            group: name of the group; person: name or id; None: everybody's.
            external_image_id: only those of that photo.
            after: id of the last face of the page before; it need not exist any more.
            limit: 1 to 1000.
            newest_first: the other way round, pages too.

        Raises:
            NotFound: no such group or person.
        """
        limit = page_size(limit)
        with self._database.reading() as connection:
            row = self._group(connection, group)
            found = None if person is None else self._person(connection, row, person)
            after = None if after is None else checks.face_id(after)
            return faces.page(
                connection,
                row,
                found,
                after=after,
                limit=limit,
                external_image_id=checks.external_id(external_image_id),
                newest_first=newest_first,
            )

    def faces_by_id(self, group: str, face_ids: Iterable[str]) -> dict[str, StoredFace]:
        """Several faces at once, by id; those that are not in the group are left out.

        Raises:
            NotFound: no such group.
            InvalidArgument: more than 1000 faces.
        """
        wanted = sorted(set(face_ids))
        if len(wanted) > MAX_PAGE:
            raise InvalidArgument(f"Ask for at most {MAX_PAGE} faces at once.")
        with self._database.reading() as connection:
            found = faces.by_id(connection, self._group(connection, group), wanted)
        return {face.id: face for face in found}

    def face(self, group: str, face_id: str) -> StoredFace:
        """The face of that id.

        Raises:
            NotFound: no such group, or no such face in it.
        """
        with self._database.reading() as connection:
            row = self._group(connection, group)
            return faces.find(connection, row, checks.face_id(face_id)).face

    def delete_face(self, group: str, face_id: str, *, check: Check = None) -> None:
        """Delete a face; its person stays. ``check``: as for :meth:`set_group`.

        Raises:
            NotFound: no such group, or no such face in it.
        """
        with self._database.writing(self._application.seq) as connection:
            row = self._group(connection, group)
            if check is not None:
                check(faces.find(connection, row, checks.face_id(face_id)).face)
            touched = faces.delete(connection, row, checks.face_id(face_id))
            self._log(connection, "face.delete", face_id, group=group)
        self._searcher.wipe(touched)

    def embeddings(
        self, group: str, person: str, *, contract: EmbeddingContract | None = None
    ) -> tuple[list[StoredFace], Embeddings]:
        """All faces of a person and their templates ``(n, d)``, in the same order.

        Args:
            group: name of the group; person: name or id.
            contract: what they are to be compared with; None: whatever they are.

        Raises:
            NotFound: no such group or person.
            EmbeddingMismatch: not the group's contract.
        """
        with self._database.snapshot() as connection:
            row = self._group(connection, group)
            checks.contracts_agree(group, row.group.contract, contract or row.group.contract)
            return faces.templates(connection, row, self._person(connection, row, person))

    def faces_of(
        self,
        group: str,
        person_ids: Iterable[str],
        *,
        contract: EmbeddingContract | None = None,
    ) -> dict[str, tuple[list[str], Embeddings]]:
        """All faces of several persons at once, for comparing a probe with each of them.

        Args:
            group: name of the group.
            person_ids: ids (not names) of at most 1000 persons, as :meth:`search` gives them.
            contract: what their templates are to be compared with; None: whatever they are.

        Returns:
            Person's id -> ids of the faces and their templates ``(n, d)``, in the same order:
            oldest first. Who is not in the group, has no face or was deleted is left out.

        Raises:
            NotFound: no such group.
            EmbeddingMismatch: not the group's contract.
            InvalidArgument: more than 1000 persons.
        """
        wanted = sorted(set(person_ids))
        if len(wanted) > MAX_PAGE:
            raise InvalidArgument(f"Ask for the faces of at most {MAX_PAGE} persons at once.")
        with self._database.snapshot() as connection:
            row = self._group(connection, group)
            checks.contracts_agree(group, row.group.contract, contract or row.group.contract)
            return vectors.faces_of(connection, row, wanted)


def _kept(
    images: Sequence[Sequence[FaceImage]] | None, settings: GroupSettings
) -> list[list[FaceImage]]:
    """Of each face, the images that a group with these settings keeps."""
    kinds = kinds_kept(settings.images)
    return [[image for image in of_face if image.kind in kinds] for of_face in images or ()]


def _source(
    sha256: str | None,
    boxes: Sequence[Box | None] | None,
    qualities: Sequence[float | None] | None,
    facts: faces.FaceFacts,
    count: int,
) -> faces.Source:
    if count == 0:
        raise InvalidArgument("There is no face to add.")
    if boxes is None:
        boxes = [None] * count
    if len(boxes) != count:
        raise InvalidArgument(f"{count} faces need {count} boxes, not {len(boxes)}.")
    if qualities is None:
        qualities = [None] * count
    if len(qualities) != count:
        raise InvalidArgument(f"{count} faces need {count} qualities, not {len(qualities)}.")
    checks.qualities(qualities)
    if sha256 is None:
        return faces.Source(None, boxes, qualities, facts)
    if count > 1 and None in boxes:
        raise InvalidArgument("Several faces of one photo need their boxes.")
    return faces.Source(checks.sha256(sha256), boxes, qualities, facts)
