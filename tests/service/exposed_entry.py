"""A server over drawn faces that reads all its settings from mien.toml in FOLDER: FOLDER [S]."""

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
        time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
        return super().detect(images)


def read():
    """The settings as they are in the file now."""
    return config.load(data_dir=Path(sys.argv[1]), cache_dir=Path(sys.argv[1]), offline=True)


if __name__ == "__main__":
    settings = read()
    with Engine(
        detector=SlowDetector(),
        embedder=MockEmbedder(),
        calibration=mock_calibration(),
        settings=settings,
    ) as engine:
        serve(settings, engine=engine, reread=read)
