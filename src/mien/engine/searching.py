"""Search a group with templates: of a face that is enrolled already, or of the caller's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mien.answers import Candidate
from mien.engine.noting import note_identification
from mien.engine.recognition import candidates_of
from mien.engine.serving import with_group
from mien.errors import InvalidArgument, NotFound
from mien.gallery import checks
from mien.match.decision import Decision, for_identification
from mien.matches import TemplateMatches
from mien.types import EmbeddingContract, Embeddings

if TYPE_CHECKING:
    from mien.engine.core import Engine
    from mien.gallery import Gallery, Group

__all__ = ["Wish", "search", "search_face"]


@dataclass(frozen=True, slots=True)
class Wish:
    """How to search: candidates at most, and ``fpir`` or ``threshold``."""

    top: int = 5
    fpir: float | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.top < 1:
            raise InvalidArgument("top must be at least 1.")

    def decision(self, engine: Engine, group: Group) -> Decision:
        """Who passes in this group."""
        return for_identification(
            engine.calibration, gallery_size=group.faces, fpir=self.fpir, threshold=self.threshold
        )


def search(
    engine: Engine,
    gallery: Gallery,
    group: str,
    embeddings: Embeddings,
    contract: EmbeddingContract,
    wish: Wish,
) -> TemplateMatches:
    """See :meth:`mien.Engine.search`."""

    def work(engine: Engine, pinned: Group) -> tuple[Group, TemplateMatches]:
        checks.contracts_agree(pinned.name, pinned.contract, contract)
        decision = wish.decision(engine, pinned)
        found = candidates_of(engine, gallery, group, embeddings, top=wish.top, decision=decision)
        return pinned, _matches(pinned, found, decision)

    pinned, found = with_group(engine, gallery, group, work)
    persons = _persons(found)
    best = [each[0] for each in persons if each]
    note_identification(engine.settings, gallery, pinned, persons, best)
    return found


def search_face(
    engine: Engine, gallery: Gallery, group: str, face_id: str, *, own: bool, wish: Wish
) -> TemplateMatches:
    """See :meth:`mien.Engine.search_face`."""

    def work(engine: Engine, pinned: Group) -> tuple[Group, TemplateMatches]:
        owner = gallery.face(group, face_id)
        stored, embeddings = gallery.embeddings(
            group, owner.person_id, contract=engine.embedder.contract
        )
        places = [i for i, one in enumerate(stored) if one.id == owner.id]
        if not places:
            raise NotFound(f"There is no face {owner.id!r} in group {group!r}.")
        decision = wish.decision(engine, pinned)
        more = 0 if own else 1
        (found,) = candidates_of(
            engine, gallery, group, embeddings.take(places), top=wish.top + more, decision=decision
        )
        kept = [one for one in found if own or one.person_id != owner.person_id]
        return pinned, _matches(pinned, [tuple(kept[: wish.top])], decision)

    pinned, found = with_group(engine, gallery, group, work)
    note_identification(engine.settings, gallery, pinned, _persons(found), ())  # nobody was there
    return found


def _matches(
    group: Group, found: Sequence[tuple[Candidate, ...]], decision: Decision
) -> TemplateMatches:
    return TemplateMatches(
        group=group.name,
        candidates=tuple(found),
        decided_on=decision.decided_on,
        threshold=decision.threshold,
        fpir=decision.rate,
        extrapolated=decision.extrapolated,
        gallery_size=group.faces,
    )


def _persons(found: TemplateMatches) -> list[list[str]]:
    return [[one.person_id for one in candidates] for candidates in found]
