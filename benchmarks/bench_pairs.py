"""Accuracy and cost on LFW folds 1-2: Mien against face_recognition 1.3.0, same protocol.

The photos are not part of the project: the list is ../shared/data/lfw/pairs_folds_1_2.csv, or the
one of the folder that MIEN_SHARED_DATA names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from mien import Engine, config
from mien.evaluate import verification
from mien.evaluate.lists import PairList, read_pairs
from mien.evaluate.pair_protocol import pairs as run_pairs
from peers import face_recognition_python
from report import REPOSITORY, Row, publish

HERE = Path(__file__).resolve().parent
PEER = "face_recognition 1.3.0"


def peer_scores(listed: PairList, root: Path) -> tuple[np.ndarray, float, int]:
    """Similarity of each pair (minus the distance), CPU ms a photo, photos without a face."""
    done = subprocess.run(
        [face_recognition_python(), "-W", "ignore", str(HERE / "work_peer_encode.py")],
        input="\n".join(str(root / name) for name in listed.names),
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout.splitlines()[-1])
    missing = [encoding is None for encoding in said["encodings"]]
    vectors = np.array([encoding or [np.nan] * 128 for encoding in said["encodings"]])
    distance = np.linalg.norm(vectors[listed.a] - vectors[listed.b], axis=1)
    return np.where(np.isnan(distance), -np.inf, -distance), said["ms"], sum(missing)


def main() -> int:
    """Measure and print."""
    root = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    file = root / "lfw" / "pairs_folds_1_2.csv"
    if not file.is_file():
        print("bench-pairs: LFW is not here (set MIEN_SHARED_DATA): nothing was measured.")
        return 0
    listed = read_pairs(file)
    with Engine(settings=config.load(threads=1)) as engine:
        own = run_pairs(engine, file, root)
    scores, ms, missing = peer_scores(listed, root)
    peer = verification.fold_accuracy(scores, listed.same, listed.fold)
    publish(
        "pairs",
        [
            Row("LFW folds 1-2, accuracy", own.accuracy.mean, peer.mean, PEER, ""),
            Row("photos without a face, of 1,583", len(own.undetected), missing, PEER, ""),
            Row("read, detect, embed a 250 x 250 photo", own.ms_per_image_cpu, ms, PEER),
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
