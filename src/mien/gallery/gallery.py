"""Gallery: groups of persons and their faces, as one application sees them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mien import config
from mien.errors import InvalidArgument
from mien.gallery import checks
from mien.gallery.access import MAX_PAGE, Check, page_size
from mien.gallery.annex import Annex
from mien.gallery.archive.archives import Archives
from mien.gallery.model import (
    DEFAULT_APPLICATION,
    LIBRARY,
    GalleryLimits,
    Hit,
    StoredFace,
)
from mien.gallery.pictures import Pictures
from mien.gallery.policy import FaceImage, GroupSettings, kinds_kept
from mien.gallery.privacy import Privacy
from mien.gallery.protect import KeyWrapper
from mien.gallery.records import consents, faces, job_gone, usage, vectors
from mien.gallery.records.database import Database
from mien.gallery.records.groups import GroupRow
from mien.gallery.records.migrate import migrate
from mien.gallery.records.persons import PersonRow
from mien.gallery.search import Searcher
from mien.gallery.shared import open_index
from mien.gallery.usage import Usage
from mien.types import Box, EmbeddingContract, Embeddings

__all__ = ["Gallery"]


class Gallery(Pictures):
    """An application's groups, persons and faces, and the search in them.

    Open one with :meth:`open`. Safe to use from several threads at once, and the same file from
    several processes. Every method that writes is one transaction: when it returns, the write is
    on the disk and the next search sees it; when it raises, nothing has changed. Every method
    raises ``GalleryUnavailable`` when the database cannot be used.

    Example:
        >>> import mien
        >>> with mien.Gallery.open("sqlite:///gallery.db") as gallery:  # doctest: +SKIP
        ...     [group.name for group in gallery.groups()]
        []
    """

    def __init__(
        self,
        database: Database,
        searcher: Searcher,
        *,
        application: str,
        limits: GalleryLimits,
        owner: bool,
        actor: str = LIBRARY,
    ) -> None:
        super().__init__(database, searcher, application=application, limits=limits, actor=actor)
        self._owner = owner

    @classmethod
    def open(
        cls,
        url: str,
        *,
        application: str = DEFAULT_APPLICATION,
        create: bool = True,
        limits: GalleryLimits | None = None,
        keys: KeyWrapper | None = None,
        actor: str = LIBRARY,
        index: str | None = None,
    ) -> Gallery:
        """Open a gallery, and make it or bring its tables up to date where needed.

        Args:
            url: ``sqlite:///relative/file.db``, ``sqlite:////absolute/file.db`` or
                ``postgresql://user@host/database``.
            application: the application whose view it is.
            create: make the file or the tables where they are missing.
            limits: quotas; None: the defaults.
            keys: the master keys that protect templates; None: those of the settings
                (:func:`mien.gallery.protect.key_ring`), read when they are first needed.
            actor: who acts, for the audit log.
            index: where vectors are searched: empty for this process, or the URL of a Milvus;
                None: the setting ``index``.

        Raises:
            NotFound: no such application, or no such file or tables and ``create`` is False.
            GalleryUnavailable: no database, damaged, locked, read-only, or made by a newer Mien.
            ConfigurationError: a URL that cannot be used.
        """
        where = config.load().index if index is None else index
        given = None if keys is None else (lambda _create: keys)
        database = Database(url, create=create, keys=given)
        try:
            migrate(database)
            return cls(
                database,
                Searcher(database, open_index(database, where)),
                application=application,
                limits=limits or GalleryLimits(),
                owner=True,
                actor=actor,
            )
        except BaseException:
            database.close()
            raise

    def for_application(self, name: str, *, actor: str | None = None) -> Gallery:
        """Another view of the same gallery; it is closed with this one.

        Args:
            name: the application whose view it is.
            actor: who acts, for the audit log: an API key's id or a user's name, at most 255
                characters; None: as in this view.

        Raises:
            NotFound: no such application.
        """
        return Gallery(
            self._database,
            self._searcher,
            application=name,
            limits=self._limits,
            owner=False,
            actor=self._actor if actor is None else actor,
        )

    @property
    def application_name(self) -> str:
        """The application whose view this is."""
        return self._application.application.name

    @property
    def application_id(self) -> str:
        """The id of the application whose view this is; it cannot be guessed."""
        return self._application.application.id

    @property
    def limits(self) -> GalleryLimits:
        """The quotas."""
        return self._limits

    @property
    def privacy(self) -> Privacy:
        """Consent, retention, export, erasure, and the audit log."""
        return Privacy(self._database, self._searcher, self._application, self._actor)

    @property
    def annex(self) -> Annex:
        """What the dialects of other services' APIs keep."""
        return Annex(self._database, self._application)

    @property
    def archive(self) -> Archives:
        """Export into, and import from, an encrypted file."""
        return Archives(
            self._database,
            self._searcher,
            self._application,
            limits=self._limits,
            actor=self._actor,
        )

    def usage(self) -> Usage:
        """What the application holds, and how often it asked the service for what."""
        with self._database.snapshot() as connection:
            return usage.of_application(connection, self._application.seq)

    def count_calls(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add to how often the application asked the service, by UTC day and kind of route."""
        with self._database.writing(self._application.seq) as connection:
            usage.add_calls(connection, self._application.seq, counts)

    def close(self) -> None:
        """Close the database; a view made by :meth:`for_application` leaves it open."""
        if self._owner:
            self._searcher.close()
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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

    def search(
        self,
        group: str,
        probes: NDArray[np.float32],
        *,
        k: int = 10,
        contract: EmbeddingContract,
    ) -> list[list[Hit]]:
        """The k persons of a group that are most like each probe, best first.

        Args:
            group: name of the group.
            probes: ``(n, d)``, of unit length.
            k: persons a probe; a small group gives fewer, an empty one none.
            contract: what the probes were made with.

        Raises:
            NotFound: no such group.
            EmbeddingMismatch: not the group's contract.
            InvalidArgument: probes that are not finite or not of unit length; k below 1.
        """
        if k < 1:
            raise InvalidArgument("k must be at least 1.")
        checked = checks.vectors(probes, contract)
        with self._database.reading() as connection:
            row = self._group(connection, group)
        checks.contracts_agree(group, row.group.contract, contract)
        return self._searcher.search(row, checked, k=k)


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
