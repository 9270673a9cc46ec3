"""The whole system under attack: who passes liveness and is taken for the enrolled person, too.

Terms of ISO/IEC 30107-3. A presentation is compared with the photos that its subject is enrolled
with, as ``mien verify --liveness enforce`` would:

* ``IAPMR`` of a species, the impostor attack presentation match rate: attacks that match the
  person they imitate / all attacks of the species, whatever liveness says of them (2017);
* ``IAPAR``, the impostor attack presentation accept rate: those that match and are taken for live,
  which is what gets in (2023);
* ``FRR``: live presentations that do not match, or are not taken for live;
* ``RIAPAR``: FRR + the worst species' IAPAR (2023).

A photo without a face neither matches nor is accepted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.evaluate.templates import Templates, embed_files
from mien.match import similarity
from mien.match.decision import for_verification
from mien.models.progress import Progress, silent
from mien.types import Result

__all__ = ["ImpostorAttacks", "Presentation", "impostor_attacks"]


@dataclass(frozen=True, slots=True)
class Presentation:
    """One photo, whose face it shows or imitates, and how it was judged.

    Attributes:
        name: of the photo, as the list spells it.
        subject: who it shows, or is to be taken for.
        attack: species; ``""`` for a live one.
        live: whether liveness takes it for live.
    """

    name: str
    subject: str
    attack: str
    live: bool


@dataclass(frozen=True, slots=True)
class ImpostorAttacks(Result):
    """Rates of the whole system; terms: :mod:`mien.evaluate.impostor_attacks`.

    Attributes:
        threshold, fmr: of the comparison, on confidence.
        bona_fide: live presentations of subjects who are enrolled.
        frr: of those; None where there is none.
        by_attack: species -> ``n``, ``iapmr`` and ``iapar``.
        riapar: None where there are no attacks, or no live presentations.
    """

    threshold: float
    fmr: float
    bona_fide: int
    frr: float | None
    by_attack: Mapping[str, Mapping[str, float]]
    riapar: float | None

    def to_dict(self) -> dict[str, Any]:
        """Part of the document of ``mien eval liveness --json``."""
        return {
            "threshold": round(self.threshold, 6),
            "fmr": self.fmr,
            "bona_fide": self.bona_fide,
            "frr": None if self.frr is None else round(self.frr, 6),
            "by_attack": {
                name: {k: round(v, 6) for k, v in rates.items()}
                for name, rates in self.by_attack.items()
            },
            "riapar": None if self.riapar is None else round(self.riapar, 6),
        }


def impostor_attacks(
    engine: Engine,
    presentations: Sequence[Presentation],
    enrolled: Sequence[tuple[str, str]],
    root: str | Path,
    *,
    progress: Progress = silent,
) -> ImpostorAttacks:
    """Compare presentations with the photos that their subjects are enrolled with.

    Args:
        engine: embeds and decides, at a false-match rate of 1e-3.
        presentations: those of subjects who are not enrolled are left out.
        enrolled: subjects and their photos; those without a face count for nothing.
        root: the folder of all photos.
        progress: told how many photos are embedded.

    Raises:
        InvalidArgument: the recognition model has no calibration.
        ImageNotFound: photos are missing.
        ModelError: a model cannot be had or run.
    """
    decision = for_verification(engine.calibration)
    known = {subject for subject, _ in enrolled}
    asked = [one for one in presentations if one.subject in known]
    names = [name for _, name in enrolled] + [one.name for one in asked]
    templates = embed_files(engine, names, root, progress=progress)
    owners = np.array([subject for subject, _ in enrolled])
    best = np.array(
        [
            _best(engine, templates, len(enrolled) + i, np.flatnonzero(owners == one.subject))
            for i, one in enumerate(asked)
        ]
    )
    matched = np.asarray(best >= decision.threshold, bool)
    live = np.array([one.live for one in asked], bool)
    species = np.array([one.attack for one in asked], object)
    attacks = {
        str(name): {
            "n": float(np.sum(species == name)),
            "iapmr": float(matched[species == name].mean()),
            "iapar": float((matched & live)[species == name].mean()),
        }
        for name in sorted(set(species.tolist()) - {""})
    }
    own = species == ""
    frr = float(1 - (matched & live)[own].mean()) if own.any() else None
    worst = max((rates["iapar"] for rates in attacks.values()), default=None)
    return ImpostorAttacks(
        threshold=decision.threshold,
        fmr=float(decision.rate or 0),
        bona_fide=int(own.sum()),
        frr=frr,
        by_attack=dict(sorted(attacks.items(), key=lambda item: -item[1]["iapar"])),
        riapar=None if frr is None or worst is None else frr + worst,
    )


def _best(engine: Engine, templates: Templates, probe: int, own: NDArray[np.intp]) -> float:
    """Confidence of the best of a subject's photos; below every threshold without a face."""
    own = own[templates.found[own]]
    if not templates.found[probe] or not len(own) or engine.calibration is None:
        return -1.0
    alike = similarity(
        templates.vector[probe : probe + 1], templates.vector[own], engine.embedder.metric
    )[0]
    norms = templates.norm[probe], templates.norm[own]
    return float(np.max(engine.calibration.confidence(alike, *norms)))
