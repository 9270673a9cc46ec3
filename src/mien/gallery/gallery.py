"""Gallery: groups of persons and their faces, as one application sees them."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mien import config
from mien.errors import InvalidArgument
from mien.gallery import checks
from mien.gallery.annex import Annex
from mien.gallery.archive.archives import Archives
from mien.gallery.model import DEFAULT_APPLICATION, LIBRARY, GalleryLimits, Hit
from mien.gallery.privacy import Privacy
from mien.gallery.protect import KeyWrapper
from mien.gallery.records import usage
from mien.gallery.records.database import Database
from mien.gallery.records.migrate import migrate
from mien.gallery.registration import Registration
from mien.gallery.search import Searcher
from mien.gallery.shared import open_index
from mien.gallery.usage import Usage
from mien.types import EmbeddingContract

__all__ = ["Gallery"]


class Gallery(Registration):
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
