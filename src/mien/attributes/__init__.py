"""Attributes: a face in a photo in, one answer about it out."""

from mien.attributes.protocol import Attribute, FaceView
from mien.attributes.registry import DEFAULT, check, create, names

__all__ = ["DEFAULT", "Attribute", "FaceView", "check", "create", "names"]
