"""Compare two photos: Mien against face_recognition 1.3.0 (dlib HOG), CPU time in one run.

Mien runs on one thread, as its peer does.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mien import config
from mien.models import ModelStore
from mien.models.samples import sample_photos
from peers import face_recognition_python
from report import REPOSITORY, Row, publish
from worker import Worker, in_turn

HERE = Path(__file__).resolve().parent


def photos() -> tuple[str, str]:
    """A 910 x 1137 photo and a second one of the same person, 853 x 480 where it is there."""
    own = sample_photos(ModelStore(config.load()))["Barack Obama"]
    first = next(path for path in own if path.name == "obama.jpg")
    shared = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    small = shared / "face_recognition" / "examples" / "obama-480p.jpg"
    second = small if small.exists() else next(p for p in own if p.name == "obama2.jpg")
    return str(first), str(second)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    pair = photos()
    workers = {
        precision: Worker(
            HERE / "work_mien_compare.py",
            *pair,
            env={"MIEN_PRECISION": precision, "MIEN_THREADS": "1"},
        )
        for precision in ("auto", "float32")
    }
    workers["peer"] = Worker(HERE / "work_peer_compare.py", *pair, python=face_recognition_python())
    spent = in_turn(workers, rounds)
    peer = "face_recognition 1.3.0"
    rows = [
        Row(f"compare two photos, precision={name}", spent[name], spent["peer"], peer)
        for name in ("auto", "float32")
    ]
    memory = workers["auto"].resident_mb()
    rows.append(
        Row("peak memory after comparing", memory, workers["peer"].resident_mb(), peer, "MB")
    )
    for worker in workers.values():
        worker.close()
    publish("compare", rows)


if __name__ == "__main__":
    main()
