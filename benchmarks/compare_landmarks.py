"""How far are the 68 points from dlib's, for which Mien ships no weights?

    python benchmarks/compare_landmarks.py shape_predictor_68_face_landmarks.dat

The file is dlib's 68-point predictor, whose training data exclude commercial use: it is compared
with, and nothing is fitted to it. Photos: every eighth of LFW folds 1-2 in ../shared/data (or of
the folder that MIEN_SHARED_DATA names). Figures are shares of the distance between the outer
corners of the eyes, means over points and faces.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import numpy as np

from mien import Engine, config, landmarks
from mien.evaluate.templates import subject
from mien.landmarks.dlib5 import _square
from mien.landmarks.faceapi68 import FROM_MESH
from mien.landmarks.shape_predictor import ShapePredictor
from mien.types import Faces

REPOSITORY = Path(__file__).resolve().parent.parent
JAW = 17  # the first so many points


def main(reference: Path) -> None:
    """Measure and print."""
    root = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    with (root / "lfw" / "gender.csv").open(newline="") as stream:
        paths = [root / row["path"] for row in csv.DictReader(stream)][::8]
    dlib = ShapePredictor.parse(reference.read_bytes())
    away: dict[str, list[np.ndarray]] = {}
    with Engine(settings=config.load()) as engine:
        net = landmarks.create("landmarks68", engine.models)
        mesh = landmarks.create("mediapipe478", engine.models)
        for path in paths:
            found = engine.detect(path)
            if not len(found):
                continue
            image = engine.photo(path).pixels()
            chosen = subject(found.faces, width=found.width, height=found.height)
            faces = found.faces.take([chosen])
            bare = Faces(faces.box_xyxy, faces.score, None)
            truth = dlib(image, _square(faces[0]))
            eyes = float(np.linalg.norm(truth[36] - truth[45]))
            for name, points in {
                "landmarks68": net.points(image, faces)[0],
                "landmarks68 from the box alone": net.points(image, bare)[0],
                "mediapipe478 in the same places": mesh.points(image, faces)[0][FROM_MESH, :2],
            }.items():
                away.setdefault(name, []).append(np.linalg.norm(points - truth, axis=1) / eyes)
    for name, rows in away.items():
        each = np.array(rows)
        print(f"{name}: {len(each)} faces, all points {each.mean():.4f}", end="")
        print(f", without the jaw {each[:, JAW:].mean():.4f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
