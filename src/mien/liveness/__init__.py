"""Liveness: is the face before the camera a live one, or a photo or a screen that shows one?"""

from mien.liveness.conditions import (
    CONDITIONS,
    LEAST_CONTEXT,
    POLICIES,
    THRESHOLDS,
    check_condition,
    check_policy,
    stricter,
)
from mien.liveness.passive import LivenessNet, PassiveLiveness
from mien.liveness.probability import at_prior
from mien.liveness.registry import create, names

__all__ = [
    "CONDITIONS",
    "LEAST_CONTEXT",
    "POLICIES",
    "THRESHOLDS",
    "LivenessNet",
    "PassiveLiveness",
    "at_prior",
    "check_condition",
    "check_policy",
    "create",
    "names",
    "stricter",
]
