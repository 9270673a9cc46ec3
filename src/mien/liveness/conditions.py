"""Operating points: how alive a face must look under each condition.

The thresholds were chosen on real photos (error rates of either kind: docs/liveness.md); they are
not a promise about attacks that were not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from mien.config import LivenessCondition, LivenessPolicy
from mien.errors import InvalidArgument
from mien.spelling import no_such

__all__ = [
    "CONDITIONS",
    "LEAST_CONTEXT",
    "POLICIES",
    "THRESHOLDS",
    "check_condition",
    "check_policy",
    "stricter",
]

POLICIES: tuple[LivenessPolicy, ...] = get_args(LivenessPolicy)
"""From what asks least to what asks most."""

CONDITIONS: tuple[LivenessCondition, ...] = get_args(LivenessCondition)
"""From what asks least to what asks most."""

THRESHOLDS: Mapping[LivenessCondition, float] = MappingProxyType(
    {"weak": 0.2, "balanced": 0.4, "strict": 0.7}
)

LEAST_CONTEXT = 1.3
"""With less surroundings than so many times the face, the nets cannot tell."""


def check_condition(given: object) -> LivenessCondition:
    """``given``, if it is a condition.

    Raises:
        InvalidArgument: it is none.
    """
    for known in CONDITIONS:
        if given == known:
            return known
    raise InvalidArgument(no_such("liveness condition", given, CONDITIONS))


def check_policy(given: object) -> LivenessPolicy:
    """``given``, if it is a policy.

    Raises:
        InvalidArgument: it is none.
    """
    for known in POLICIES:
        if given == known:
            return known
    raise InvalidArgument(no_such("liveness policy", given, POLICIES))


def stricter(
    a: tuple[LivenessPolicy, LivenessCondition], b: tuple[LivenessPolicy, LivenessCondition]
) -> tuple[LivenessPolicy, LivenessCondition]:
    """Of policies and of conditions what asks more.

    Example:
        >>> stricter(("enforce", "weak"), ("observe", "strict"))
        ('enforce', 'strict')
    """
    policy = max(a[0], b[0], key=POLICIES.index)
    return policy, max(a[1], b[1], key=CONDITIONS.index)
