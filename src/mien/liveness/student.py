"""Student: one net, learnt from both MiniFASNets, that ships with Mien.

It speaks where their files cannot be had. How it was made, how well it follows its teachers, and
why that is not the same as protection: docs/liveness-student.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mien.config import LivenessCondition
from mien.liveness.crop import cut_context
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Box

__all__ = ["FACTORS", "SIDE", "STUDENT", "STUDENT_THRESHOLDS", "Student"]

STUDENT = "student"
"""Its card, and its name in answers."""

STUDENT_THRESHOLDS: Mapping[LivenessCondition, float] = MappingProxyType(
    {"weak": 0.15, "balanced": 0.3, "strict": 0.6}
)
"""From what score on a face is live, where the student speaks."""

SIDE = 80
FACTORS = (2.7, 4.0)
"""How much of the surroundings its two inputs show, ``near`` and ``far``."""
LIVE = 1


class Student:
    """The net in the package.

    Args:
        name: of its card.
        session: inputs ``near`` and ``far`` (n, 3, 80, 80), output ``belief`` (n, 3).
    """

    factor = max(FACTORS)

    def __init__(self, name: str, session: Session) -> None:
        self.name = name
        self._session = session

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> Student:
        """Open the file of the package."""
        return cls(card.name, models.open(card, streams=models.settings.thread_budget))

    def live_score(self, image: RGB, box: Box) -> float:
        """The net's belief that the face is a live one, 0..1 (softmax, not calibrated).

        Args:
            image: RGB ``(height, width, 3)`` uint8.
            box: of the face, pixels of ``image``.

        Raises:
            InvalidArgument: the box is empty.
        """
        near, far = (
            np.ascontiguousarray(
                cut_context(image, box, factor, SIDE)[..., ::-1].transpose(2, 0, 1)[None],
                np.float32,
            )
            for factor in FACTORS
        )
        return float(self._session.run({"near": near, "far": far})["belief"][0, LIVE])
