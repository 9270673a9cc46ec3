"""Before a face is enrolled: does it look like somebody else of the group?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.errors import InvalidArgument
from mien.gallery.checks import person_name
from mien.match.decision import for_identification
from mien.types import EmbeddingContract, Embeddings

if TYPE_CHECKING:
    from mien.engine.core import Engine
    from mien.gallery import Gallery, Group, Hit

__all__ = ["check_calibrated", "lookalike"]

_LOOKED_AT = 5  # persons, the most similar first: the surest may be the second of them


def check_calibrated(engine: Engine, group: Group) -> None:
    """Refuse a group that asks for the check where nothing can decide it.

    Raises:
        InvalidArgument: the recognition model has no calibration.
    """
    if group.settings.duplicates != "allow" and engine.calibration is None:
        raise InvalidArgument(
            f"The group {group.name!r} asks whether new faces look like somebody else "
            "(duplicates), which a recognition model without calibration cannot say: calibrate it "
            "with `mien eval calibrate`, or set duplicates to allow."
        )


def lookalike(
    engine: Engine,
    gallery: Gallery,
    group: Group,
    person: str,
    embeddings: Embeddings,
    contract: EmbeddingContract,
) -> Hit | None:
    """The other person of the group that a face is most surely like, or None.

    The threshold is the one at which a stranger to the group is taken for somebody in it with
    probability ``settings.enrol_duplicate_fpir``, at the group's present size.

    Args:
        engine: its calibration decides.
        gallery, group: where to look.
        person: whose face it is said to be; name or id.
        embeddings: of the one face.
        contract: what they were made with.
    """
    if not group.faces:
        return None
    check_calibrated(engine, group)
    calibration = engine.calibration
    assert calibration is not None
    decision = for_identification(
        calibration, gallery_size=group.faces, fpir=engine.settings.enrol_duplicate_fpir
    )
    (hits,) = gallery.search(group.name, embeddings.vector, k=_LOOKED_AT, contract=contract)
    own = person_name(person)
    sure: list[tuple[float, Hit]] = []
    for hit in hits:
        if own in (hit.person, hit.person_id):
            continue
        norm = float("nan") if hit.norm is None else hit.norm
        confidence = float(calibration.confidence(hit.similarity, float(embeddings.norm[0]), norm))
        if confidence >= decision.threshold:
            sure.append((confidence, hit))
    return max(sure, key=lambda pair: pair[0])[1] if sure else None
