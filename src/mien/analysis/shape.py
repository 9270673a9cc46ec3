"""Results about how a face is held and what it does: pose, eyes, what is covered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mien.analysis.appearance import Presence
from mien.types import Result

__all__ = ["Eyes", "Occlusion", "Pose"]


@dataclass(frozen=True, slots=True)
class Pose(Result):
    """Which way a face looks, degrees, from the subject's own view.

    Attributes:
        yaw: positive when it looks to its own left, which is the image's right.
        pitch: positive when it looks down.
        roll: positive when the head is tilted to its own right shoulder.
    """

    yaw: float
    pitch: float
    roll: float

    def __str__(self) -> str:
        return f"yaw {self.yaw:+.0f} pitch {self.pitch:+.0f} roll {self.roll:+.0f}"

    def to_dict(self) -> dict[str, Any]:
        """``{"yaw", "pitch", "roll"}``, degrees."""
        angles = {"yaw": self.yaw, "pitch": self.pitch, "roll": self.roll}
        return {name: round(angle, 1) for name, angle in angles.items()}


@dataclass(frozen=True, slots=True)
class Eyes(Result):
    """Whether each eye is open.

    Attributes:
        left, right: by the side of the image, as in :class:`mien.types.Face`: ``left`` is the eye
            on the image's left, which is the subject's right eye in a photo that is not mirrored.
    """

    left: Presence
    right: Presence

    def __str__(self) -> str:
        return f"left {_word(self.left)} right {_word(self.right)}"

    def to_dict(self) -> dict[str, Any]:
        """``{"left": {"value", "score"}, "right": {"value", "score"}}``; ``value``: it is open."""
        return {"left": self.left.to_dict(), "right": self.right.to_dict()}


@dataclass(frozen=True, slots=True)
class Occlusion(Result):
    """What hides parts of a face: a mask, a hand, dark glasses, a hat, hair.

    Attributes:
        eyes, mouth, forehead: whether that part is covered.
    """

    eyes: Presence
    mouth: Presence
    forehead: Presence

    def __str__(self) -> str:
        parts = {"eyes": self.eyes, "mouth": self.mouth, "forehead": self.forehead}
        return " ".join(name for name, one in parts.items() if one.value) or "none"

    def to_dict(self) -> dict[str, Any]:
        """``{"eyes", "mouth", "forehead"}``, each ``{"value", "score"}``; ``value``: covered."""
        return {
            "eyes": self.eyes.to_dict(),
            "mouth": self.mouth.to_dict(),
            "forehead": self.forehead.to_dict(),
        }


def _word(eye: Presence) -> str:
    return f"{'open' if eye.value else 'closed'} {eye.score:.2f}"
