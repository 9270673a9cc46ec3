"""The engine: the only room that knows the order of the rooms."""

from mien.align import Preprocessing
from mien.engine.core import Engine
from mien.engine.enrolment import EnrolmentPhoto, PhotoOutcome
from mien.engine.extraction import ExtractedFace, Extraction
from mien.engine.living import Liveness, LivenessCheck
from mien.engine.reembedding import Reembedding
from mien.engine.shortcuts import analyze, compare, default_engine, detect, represent

__all__ = [
    "Engine",
    "EnrolmentPhoto",
    "ExtractedFace",
    "Extraction",
    "Liveness",
    "LivenessCheck",
    "PhotoOutcome",
    "Preprocessing",
    "Reembedding",
    "analyze",
    "compare",
    "default_engine",
    "detect",
    "represent",
]
