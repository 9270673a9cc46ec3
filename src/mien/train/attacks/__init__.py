"""Attacks on face recognition, simulated: photos shown on drawn phones, screens and paper."""

from mien.train.attacks.kinds import KINDS, LIVE_KINDS, Taken, simulate
from mien.train.attacks.parts import ALL_PARTS, Parts

__all__ = ["ALL_PARTS", "KINDS", "LIVE_KINDS", "Parts", "Taken", "simulate"]
