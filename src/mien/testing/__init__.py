"""Public helpers for tests: drawn faces, mock models and sessions, gallery factories."""

from mien.testing.engines import mock_calibration, mock_engine
from mien.testing.faces import MockDetector, MockEmbedder, drawn_face, drawn_photo
from mien.testing.liveness import MockLivenessNet
from mien.testing.session import MockSession

__all__ = [
    "MockDetector",
    "MockEmbedder",
    "MockLivenessNet",
    "MockSession",
    "drawn_face",
    "drawn_photo",
    "mock_calibration",
    "mock_engine",
]
