"""Landmarks: where the parts of a face are, which way it looks, and what its muscles do."""

from mien.landmarks.protocol import LandmarkModel
from mien.landmarks.registry import create, names

__all__ = ["LandmarkModel", "create", "names"]
