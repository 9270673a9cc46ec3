"""Short sequences of frames: what is kept of a frame, and what several frames tell together."""

from mien.liveness.sequence.continuity import continuity_checks, identity_check
from mien.liveness.sequence.finding import Check, Reason
from mien.liveness.sequence.frame import SequenceFrame, pack, unpack
from mien.liveness.sequence.fusion import ClipVerdict, fused_liveness, verdict_of
from mien.liveness.sequence.order import order_checks
from mien.liveness.sequence.picture import picture_checks

__all__ = [
    "Check",
    "ClipVerdict",
    "Reason",
    "SequenceFrame",
    "continuity_checks",
    "fused_liveness",
    "identity_check",
    "order_checks",
    "pack",
    "picture_checks",
    "unpack",
    "verdict_of",
]
