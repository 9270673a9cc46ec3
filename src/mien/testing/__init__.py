"""Public helpers for tests: drawn faces, mock models and sessions, gallery factories."""

from mien.testing.challenge import DrawnMesh, challenge_frames, drawn_gesture
from mien.testing.engines import mock_calibration, mock_engine
from mien.testing.faces import MockDetector, MockEmbedder, drawn_face, drawn_photo
from mien.testing.liveness import MockLivenessNet
from mien.testing.session import MockSession

__all__ = [
    "DrawnMesh",
    "MockDetector",
    "MockEmbedder",
    "MockLivenessNet",
    "MockSession",
    "challenge_frames",
    "drawn_face",
    "drawn_gesture",
    "drawn_photo",
    "mock_calibration",
    "mock_engine",
]
