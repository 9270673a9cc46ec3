"""Worker: DeepFace.find in a folder of faces, without the cost of its network.

Arguments: folder, number of faces, length of an embedding, ``pandas`` or ``dict``. The network is
replaced by embeddings that cost nothing, the same as those in Mien's gallery; detection is skipped.
"""

import contextlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import cv2
import numpy as np

import worker

with contextlib.redirect_stdout(sys.stderr):  # standard output is for the answers
    from deepface import DeepFace
    from deepface.modules import modeling, representation

folder, size, dim, form = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
photo = np.full((112, 112, 3), 127, np.uint8)
embeddings = np.load(folder.parent / "embeddings.npy")
state = {"next": 0}


def embedding(*_args, **_options):
    """A face of the folder after the other; the probe is the first."""
    vector = embeddings[state["next"] % len(embeddings)]
    state["next"] += 1
    return [{"embedding": vector.tolist(), "facial_area": {"x": 0, "y": 0, "w": 112, "h": 112}}]


def fill():
    folder.mkdir(exist_ok=True)
    first = folder / f"{0:06}.jpg"
    cv2.imwrite(str(first), photo)
    for number in range(1, size):
        (folder / f"{number:06}.jpg").hardlink_to(first)


def find():
    state["next"] = 0
    with contextlib.redirect_stdout(sys.stderr):
        found = DeepFace.find(
            photo,
            str(folder),
            model_name="SFace",
            detector_backend="skip",
            enforce_detection=False,
            silent=True,
            k=10,
            return_type=form,
        )
    best = found[0]
    rows = best.to_dict("records") if form == "pandas" else best
    return {"similarity": 1 - float(rows[0]["distance"]), "found": len(rows)}


if __name__ == "__main__":
    representation.represent = embedding
    modeling.build_model = lambda **_options: SimpleNamespace(output_shape=dim)
    if not folder.exists():
        fill()
    worker.serve(find)
