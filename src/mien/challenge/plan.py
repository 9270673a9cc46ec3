"""Plan: what a session asks for and under which limits, fixed when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mien.challenge.steps import STEPS, Step, choose
from mien.engine import LivenessCheck
from mien.errors import InvalidArgument
from mien.types import Result

__all__ = ["MAX_FRAMES", "STEP_LIMIT_S", "TTL_S", "Plan", "plan_from_dict"]

TTL_S = (60.0, 86_400.0)
STEP_LIMIT_S = (2.0, 60.0)
MAX_FRAMES = (8, 600)


@dataclass(frozen=True, slots=True)
class Plan(Result):
    """A challenge.

    Attributes:
        steps: in order; by default three drawn by chance, one of them a turn.
        step_limit_s: seconds for each step, 2 to 60.
        ttl_s: seconds until the session expires, 60 to 86400.
        max_frames: frames that are taken in all, 8 to 600.
        mirrored: the camera gives mirror images.
        liveness: passive liveness in each frame: ``off``, ``observe`` or ``enforce``.
        fmr: false-match rate at which a frame is taken for the first one's face, 0 to 1.
        group, person: an enrolled person who it must be; None: anybody.

    Raises:
        InvalidArgument: something else.

    Example:
        >>> Plan(steps=("nod", "turn_left")).step_limit_s
        10.0
    """

    steps: tuple[Step, ...] = field(default_factory=lambda: choose(3))
    step_limit_s: float = 10.0
    ttl_s: float = 600.0
    max_frames: int = 300
    mirrored: bool = False
    liveness: LivenessCheck = field(default_factory=lambda: LivenessCheck("enforce"))
    fmr: float = 1e-3
    group: str | None = None
    person: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.steps) <= len(STEPS) or len({*self.steps}) != len(self.steps):
            raise InvalidArgument(f"A challenge has 1 to {len(STEPS)} steps, none twice.")
        if any(step not in STEPS for step in self.steps):
            raise InvalidArgument(f"The steps are {', '.join(STEPS)}.")
        for name, value, (least, most) in (
            ("step_limit_s", self.step_limit_s, STEP_LIMIT_S),
            ("ttl_s", self.ttl_s, TTL_S),
            ("max_frames", self.max_frames, MAX_FRAMES),
        ):
            if not least <= value <= most:
                raise InvalidArgument(f"{name} is {least:g} to {most:g}, not {value}.")
        if not 0 < self.fmr < 1:
            raise InvalidArgument("fmr lies between 0 and 1.")
        if (self.group is None) != (self.person is None):
            raise InvalidArgument("Give both group and person, or neither.")

    def to_dict(self) -> dict[str, Any]:
        """Everything, as :func:`plan_from_dict` reads it."""
        return {
            "steps": list(self.steps),
            "step_limit_s": self.step_limit_s,
            "ttl_s": self.ttl_s,
            "max_frames": self.max_frames,
            "mirrored": self.mirrored,
            "liveness": self.liveness.policy,
            "liveness_condition": self.liveness.condition,
            "fmr": self.fmr,
            "group": self.group,
            "person": self.person,
        }


def plan_from_dict(given: Mapping[str, Any]) -> Plan:
    """The plan of :meth:`Plan.to_dict`."""
    rest = {**given}
    check = LivenessCheck(rest.pop("liveness"), rest.pop("liveness_condition"))
    return Plan(steps=tuple(rest.pop("steps")), liveness=check, **rest)
