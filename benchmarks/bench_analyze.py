"""All default attributes of a face against detecting and embedding it, CPU time in one run.

The photos are LFW's of ../shared/data (or of the folder that MIEN_SHARED_DATA names), else the
sample photos.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from mien import Engine, config
from mien.models.samples import sample_photos
from report import REPOSITORY, Row, publish

PHOTOS = 60
ROUNDS = 3


def photos(engine: Engine) -> list[Path]:
    """LFW's first photos, or the samples."""
    root = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    found = sorted((root / "lfw").glob("*/*.jpg"))[:PHOTOS]
    return found or [path for paths in sample_photos(engine.models).values() for path in paths]


def main() -> None:
    """Measure and print."""
    attributes, pipeline = [], []
    with Engine(settings=config.load(threads=1)) as engine:
        chosen = photos(engine)
        engine.analyze(chosen[0])
        engine.represent(chosen[0])
        for _ in range(ROUNDS):
            for path in chosen:
                photo = engine.photo(path)
                started = time.process_time()
                detection = engine.detect(photo).first(1)
                engine.embed(photo, detection.faces)
                middle = time.process_time()
                engine.analyze_faces(photo, detection.faces)
                attributes.append(time.process_time() - middle)
                pipeline.append(middle - started)
    row = Row(
        "all default attributes of a face",
        statistics.median(attributes) * 1e3,
        statistics.median(pipeline) * 1e3,
        "detect + embed the same photo",
    )
    publish("analyze", [row])


if __name__ == "__main__":
    main()
