"""The engine: the only room that knows the order of the rooms."""

from mien.engine.core import Engine
from mien.engine.enrolment import EnrolmentPhoto, PhotoOutcome
from mien.engine.shortcuts import analyze, compare, default_engine, detect, represent

__all__ = [
    "Engine",
    "EnrolmentPhoto",
    "PhotoOutcome",
    "analyze",
    "compare",
    "default_engine",
    "detect",
    "represent",
]
