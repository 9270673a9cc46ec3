"""Passive liveness: one photo, two nets that see the face with its surroundings, and evidence.

No net is believed alone. Their mean is lowered by what else speaks of an attack: edges of a device
or a sheet around the face, and a pattern of pixels or dots. Where the photo shows too little around
the face the nets are guessing, so the answer is that nothing can be said.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from mien.config import LivenessCondition
from mien.errors import ModelUnavailable, WeightsMissing
from mien.liveness.conditions import LEAST_CONTEXT, THRESHOLDS, check_condition
from mien.liveness.crop import clamped_factor
from mien.liveness.evidence import frame_edges, moire_peak
from mien.liveness.probability import probability
from mien.liveness.registry import create, names
from mien.liveness.student import STUDENT, STUDENT_THRESHOLDS
from mien.models import ModelStore
from mien.types import RGB, Box
from mien.verdict import LivenessReason, LivenessVerdict

__all__ = ["EVIDENCE", "LivenessNet", "PassiveLiveness"]

EVIDENCE: dict[str, tuple[float, float]] = {"edges": (0.6, 0.8), "moire": (1.7, 2.3)}
"""Where each measure begins to speak of an attack, and where it is sure (docs/liveness.md)."""

_log = logging.getLogger(__name__)

_REASON: dict[str, LivenessReason] = {"edges": "device_or_paper_edges", "moire": "moire"}
SAYS_SO = 0.5  # evidence from which it is a reason


@runtime_checkable
class LivenessNet(Protocol):
    """A net that looks at a face with its surroundings. Safe to call from several threads at once.

    Attributes:
        name: card name.
        factor: how many times the face's size it wants to see.
    """

    name: str
    factor: float

    def live_score(self, image: RGB, box: Box) -> float:
        """How alive the face in ``box`` looks, 0..1."""
        ...


class PassiveLiveness:
    """Says of a face in a photo whether it is live.

    Args:
        nets: at least one; their mean counts.
        thresholds: of the conditions, where they are not those of the published nets.

    Example:
        >>> from mien import config
        >>> from mien.models import ModelStore
        >>> PassiveLiveness.load(ModelStore(config.load()))          # doctest: +SKIP
    """

    def __init__(
        self,
        nets: Sequence[LivenessNet],
        *,
        thresholds: Mapping[LivenessCondition, float] = THRESHOLDS,
    ) -> None:
        self.nets = tuple(nets)
        self.thresholds = thresholds

    @classmethod
    def load(cls, models: ModelStore) -> PassiveLiveness:
        """Fetch the weights of all registered nets, if need be, and open them.

        Where they cannot be had, the net that is installed with Mien speaks instead, at
        thresholds of its own, unless the settings' ``liveness_fallback`` forbids it.

        Raises:
            WeightsMissing: neither can be had.
            ModelError: they cannot be run.
        """
        try:
            return cls([create(name, models) for name in names() if name != STUDENT])
        except ModelUnavailable as error:
            if models.settings.liveness_fallback and STUDENT in names():
                try:
                    _log.warning("The liveness nets cannot be had; %s speaks instead.", STUDENT)
                    return cls([create(STUDENT, models)], thresholds=STUDENT_THRESHOLDS)
                except ModelUnavailable as missing:
                    _log.warning("%s", missing.message)
            raise WeightsMissing(
                "The liveness nets are not in the cache and cannot be fetched now: pull "
                "them where there is a network (mien models pull minifasnet-v2 minifasnet-v1se), "
                "bring them in a bundle (mien models import), or name a folder that holds them "
                f"in MIEN_MODELS_MIRROR. {error.message}"
            ) from error

    def check(
        self, image: RGB, box: Box, *, condition: LivenessCondition = "balanced"
    ) -> LivenessVerdict:
        """Whether the face in ``box`` is a live one.

        Args:
            image: RGB ``(height, width, 3)`` uint8, the whole photo at full size.
            box: of the face, pixels of ``image``.
            condition: how sure it must look.

        Raises:
            InvalidArgument: the box is empty, or no such condition.
        """
        threshold = self.thresholds[check_condition(condition)]
        widest = max(net.factor for net in self.nets)
        context = clamped_factor(box, (image.shape[0], image.shape[1]), widest)
        nets = {net.name: net.live_score(image, box) for net in self.nets}
        measured = {"edges": frame_edges(image, box), "moire": moire_peak(image, box)}
        evidence = {name: _ramp(value, *EVIDENCE[name]) for name, value in measured.items()}
        believed = sum(nets.values()) / len(nets)
        score = believed * (1 - max(evidence.values()))
        reasons = [_REASON[name] for name, value in evidence.items() if value >= SAYS_SO]
        if believed < threshold:
            reasons.insert(0, "nets_see_an_attack")
        live, told = score >= threshold, probability(score, nets)
        if context < LEAST_CONTEXT:
            told = None
            reasons.insert(0, "not_enough_surroundings")
        return LivenessVerdict(
            verdict="undetermined" if context < LEAST_CONTEXT else "live" if live else "spoof",
            score=score,
            threshold=threshold,
            condition=condition,
            context=context,
            nets=nets,
            evidence=evidence,
            reasons=() if live and context >= LEAST_CONTEXT else tuple(reasons),
            probability=told,
        )


def _ramp(value: float, start: float, end: float) -> float:
    """0 up to ``start``, 1 from ``end``."""
    return min(1.0, max(0.0, (value - start) / (end - start)))
