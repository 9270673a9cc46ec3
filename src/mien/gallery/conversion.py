"""Conversion: moves a group to another embedding contract while it is searched.

Templates of the new contract are laid aside, some faces a transaction, for as long as it takes.
Then one transaction moves the group: a search sees either contract, never both. Who is killed in
between loses the transaction at hand, and the next :class:`Conversion` goes on after it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mien.errors import EmbeddingMismatch, InvalidArgument
from mien.gallery import checks
from mien.gallery.gallery import Gallery
from mien.gallery.model import Group
from mien.gallery.records import conversions, groups
from mien.gallery.records.conversions import Waiting
from mien.gallery.records.groups import GroupRow
from mien.types import EmbeddingContract, Embeddings

__all__ = ["Conversion", "Waiting"]


_NO_CONTRACT = -1  # of which no template is laid aside


class Conversion:
    """A move of a group that is under way. Every method is one transaction.

    Args:
        gallery: the application's view.
        group: name of the group, which must not be renamed meanwhile.
        contract: where it is moved to; another than its own.
        look_only: write nothing; only :meth:`laid` and :meth:`waiting` can be asked.

    Raises:
        NotFound: no such group.
        InvalidArgument: the group has this contract.
        GalleryUnavailable: the database cannot be used.
    """

    def __init__(
        self,
        gallery: Gallery,
        group: str,
        contract: EmbeddingContract,
        *,
        look_only: bool = False,
    ) -> None:
        self._gallery = gallery
        self._database = gallery._database
        self._application_seq = gallery._application.seq
        self._contract = contract
        self.group: Group = gallery.group(group)
        if self.group.contract == contract:
            raise InvalidArgument(f"The group {group!r} is of that recognition model already.")
        if look_only:
            with self._database.reading() as connection:
                self._target = groups.known_contract(connection, contract) or _NO_CONTRACT
            return
        with self._database.writing(self._application_seq) as connection:
            self._target = groups.contract_seq(connection, contract)
            conversions.drop_others(connection, gallery._group(connection, group), self._target)

    def laid(self) -> int:
        """How many of the group's faces have a template of the new contract."""
        with self._database.reading() as connection:
            row = self._gallery._group(connection, self.group.name)
            return conversions.count_laid(connection, row, self._target)

    def waiting(self, *, after: str | None = None, limit: int = 100) -> list[Waiting]:
        """Faces without a template of the new contract, by id; those after the id ``after``."""
        with self._database.snapshot() as connection:
            row = self._gallery._group(connection, self.group.name)
            self._check(row)
            return conversions.waiting(connection, row, self._target, after=after, limit=limit)

    def lay_aside(self, face_ids: Sequence[str], templates: Embeddings) -> None:
        """Keep templates of the new contract until the group moves.

        Args:
            face_ids: n faces; who was deleted meanwhile is passed over.
            templates: of these.

        Raises:
            EmbeddingMismatch: templates of another length, or the group was moved meanwhile.
            KeyMissing, KeyMismatch: the master key is not the gallery's.
        """
        vectors = checks.vectors(templates.vector, self._contract)
        checked = Embeddings(vectors, templates.norm)
        with self._database.writing(self._application_seq) as connection:
            row = self._gallery._group(connection, self.group.name)
            self._check(row)
            conversions.lay_aside(
                connection, row, self._target, self._contract, list(face_ids), checked
            )

    def switch(self, *, drop: Collection[str] = ()) -> bool:
        """Move the group, if every face has a template of the new contract.

        Args:
            drop: ids of faces that are deleted where they have none.

        Returns:
            Whether it was moved; False: other faces lack a template, such as those that were
            enrolled meanwhile.

        Raises:
            LimitExceeded: a group that sees more faces then is full.
            EmbeddingMismatch: somebody else moved the group meanwhile.
        """
        gallery = self._gallery
        with self._database.writing(self._application_seq) as connection:
            row = gallery._group(connection, self.group.name)
            self._check(row)
            missing = conversions.unlaid(connection, row, self._target)
            if missing - set(drop):
                return False
            faces = conversions.switch(
                connection, row, self._target, self._contract, limits=gallery._limits
            )
            gallery._log(
                connection,
                "group.reembed",
                row.group.name,
                before=str(row.group.contract),
                contract=str(self._contract),
                faces=faces,
                dropped=len(missing),
            )
        gallery._searcher.wipe([row.seq])
        self._database.forget_deleted()
        return True

    def _check(self, row: GroupRow) -> None:
        if row.group.contract != self.group.contract:
            raise EmbeddingMismatch(
                f"The group {self.group.name!r} was moved to another recognition model meanwhile: "
                "look at it, and begin again where that was not meant.",
                details={"group": self.group.name, "group_model": row.group.contract.model},
            )
