"""Liveness as one of the attributes that ``analyze`` can be asked for."""

from __future__ import annotations

from typing import Protocol

from mien.config import LivenessCondition
from mien.liveness.passive import PassiveLiveness
from mien.models import ModelStore
from mien.types import RGB, Face
from mien.verdict import LivenessVerdict

__all__ = ["LivenessAttribute"]


class View(Protocol):
    """What an attribute gets to see: a photo and a face in it."""

    @property
    def image(self) -> RGB:
        """RGB ``(height, width, 3)`` uint8."""

    @property
    def face(self) -> Face:
        """In the pixels of ``image``."""


class LivenessAttribute:
    """Asks a liveness check about the face of a view.

    Args:
        check: the check.
        condition: how sure a live face must look.
    """

    name = "liveness"
    full_size = True  # what betrays a screen is lost in a photo that was decoded smaller

    def __init__(self, check: PassiveLiveness, condition: LivenessCondition) -> None:
        self._check = check
        self._condition = condition

    @classmethod
    def load(cls, models: ModelStore) -> LivenessAttribute:
        """Fetch the weights, if need be, and open them; the condition is the settings'."""
        return cls(PassiveLiveness.load(models), models.settings.liveness_condition)

    def measure(self, view: View) -> LivenessVerdict:
        """Whether the face is a live one."""
        return self._check.check(view.image, view.face.box, condition=self._condition)
