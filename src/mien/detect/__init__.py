"""Detectors: photos in, boxes and five landmarks out."""

from mien.detect.multiscale import MultiScale, MultiScaleOptions
from mien.detect.protocol import Detector
from mien.detect.registry import create, names

__all__ = ["Detector", "MultiScale", "MultiScaleOptions", "create", "names"]
