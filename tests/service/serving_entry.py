"""A server over drawn faces in a process of its own: FOLDER PORT [SECONDS that a photo takes]."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from mien import config
from mien.engine import Engine
from mien.service import serve
from mien.testing import MockDetector, MockEmbedder, mock_calibration


class SlowDetector(MockDetector):
    """Takes its time."""

    def detect(self, images):
        time.sleep(float(sys.argv[3]) if len(sys.argv) > 3 else 0)
        return super().detect(images)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    settings = config.load(data_dir=folder, cache_dir=folder, offline=True, port=int(sys.argv[2]))
    detector = SlowDetector()
    with Engine(
        detector=detector,
        embedder=MockEmbedder(),
        calibration=mock_calibration(),
        settings=settings,
    ) as engine:
        serve(settings, engine=engine)
