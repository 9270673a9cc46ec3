"""Error rates of presentation-attack detection, in the terms of ISO/IEC 30107-3.

A presentation is *bona fide* (a live person) or an attack of some *species* (a print, a phone).
What gets no answer (no face, too little around it) is a *non-response*: it has rates of its own,
``BPNRR`` and ``APNRR``, and takes no part in the others:

* ``APCER`` of a species: attacks taken for bona fide / attacks answered;
* ``BPCER``: bona fide presentations taken for attacks / bona fide presentations answered;
* ``ACER``: the mean of BPCER and of the worst species' APCER. The standard no longer has it; the
  field still compares by it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mien.evaluate.verification import auc, equal_error_rate

__all__ = ["bpcer_at_apcer", "classification_rates", "threshold_at_apcer"]

Scores = NDArray[np.float64]


def classification_rates(
    bona_fide: Scores, attacks: Mapping[str, Scores], threshold: float
) -> dict[str, float | None]:
    """Rates at one threshold, over presentations that were answered.

    Args:
        bona_fide: scores, higher is more alive.
        attacks: scores by species.
        threshold: from which on a presentation is taken for bona fide.

    Returns:
        ``apcer`` (the worst species'), ``bpcer``, ``acer``, ``eer`` and ``auc`` (all species
        together); None where there is nothing to count.

    Example:
        >>> found = classification_rates(np.array([0.9, 0.3]), {"print": np.array([0.1, 0.8])}, 0.5)
        >>> found["apcer"], found["bpcer"], found["acer"]
        (0.5, 0.5, 0.5)
    """
    answered = {name: scores for name, scores in attacks.items() if len(scores)}
    apcer = max((float(np.mean(s >= threshold)) for s in answered.values()), default=None)
    bpcer = float(np.mean(bona_fide < threshold)) if len(bona_fide) else None
    both = apcer is not None and bpcer is not None
    every = np.concatenate([*answered.values(), np.zeros(0)])
    return {
        "apcer": apcer,
        "bpcer": bpcer,
        "acer": None if apcer is None or bpcer is None else (apcer + bpcer) / 2,
        "eer": equal_error_rate(bona_fide, every) if both else None,
        "auc": auc(bona_fide, every) if both else None,
    }


def threshold_at_apcer(attacks: Mapping[str, Scores], apcer: float) -> float:
    """The lowest threshold at which no species' APCER is above ``apcer``.

    It is just above the highest score that may not pass; 0 where all may pass.
    """
    found = 0.0
    for scores in attacks.values():
        may_pass = int(np.floor(apcer * len(scores) + 1e-9))
        refused = np.sort(scores)[: len(scores) - may_pass]
        if len(refused):
            found = max(found, float(np.nextafter(refused[-1], np.inf)))
    return found


def bpcer_at_apcer(bona_fide: Scores, attacks: Mapping[str, Scores], apcer: float) -> float | None:
    """BPCER where the worst species' APCER is ``apcer`` at most (0.05: the standard's BPCER20)."""
    if not len(bona_fide) or not any(len(scores) for scores in attacks.values()):
        return None
    return float(np.mean(bona_fide < threshold_at_apcer(attacks, apcer)))
