"""Challenge: is somebody there who does, now and in this order, what chance has asked for?

A :class:`Session` asks for a few movements in a random order, watches frames, and says whether
they were done by one live person before one camera. docs/challenge.md has the states, the limits,
the reasons, and what this stops and what it does not.
"""

from mien.challenge.judging import (
    ChallengeResult,
    Standing,
    judge,
    person_check,
    portrait,
    standing,
)
from mien.challenge.plan import Plan, plan_from_dict
from mien.challenge.session import Session, State, watch
from mien.challenge.steps import STEPS, TEXTS, Progress, Step, StepOutcome, choose, follow

__all__ = [
    "STEPS",
    "TEXTS",
    "ChallengeResult",
    "Plan",
    "Progress",
    "Session",
    "Standing",
    "State",
    "Step",
    "StepOutcome",
    "choose",
    "follow",
    "judge",
    "person_check",
    "plan_from_dict",
    "portrait",
    "standing",
    "watch",
]
