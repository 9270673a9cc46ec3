"""Writes golden_keras.json: what DeepFace's own Keras nets give for weights from a seed.

Runs in an environment with deepface 0.0.103, tensorflow and tf-keras (see benchmarks/peers.py),
never in Mien's: ``python tests/embed/make_golden_keras.py``. Keras says which of a net's layers is
the n-th, so the file also proves the order in which Mien reads them.
"""

from __future__ import annotations

import json
import os
import tempfile
from importlib import import_module
from pathlib import Path

os.environ["DEEPFACE_HOME"] = tempfile.mkdtemp()

import numpy as np
from deepface import DeepFace  # noqa: F401  (it chooses Keras 2)
from deepface.commons import weight_utils
from seeded_weights import arrays_of

NETS = {
    "arcface": ("ArcFace", "load_model"),
    "deepid": ("DeepID", "load_model"),
    "facenet": ("Facenet", "load_facenet128d_model"),
    "facenet512": ("Facenet", "load_facenet512d_model"),
    "ghostfacenet": ("GhostFaceNet", "load_model"),
    "openface": ("OpenFace", "load_model"),
}


def main() -> None:
    """Build each net, fill it, run it on one image of noise, and write all vectors."""
    weight_utils.download_weights_if_necessary = lambda **_: ""
    weight_utils.load_model_weights = lambda model, weight_file: model
    golden = {}
    for name, (module, function) in NETS.items():
        place = f"deepface.models.facial_recognition.tf.{module}"
        model = getattr(import_module(place), function)()
        filled = [layer for layer in model.layers if layer.weights]
        for index, layer in enumerate(filled):
            weights = layer.trainable_weights + layer.non_trainable_weights
            shapes = [tuple(weight.shape) for weight in weights]
            values = arrays_of(type(layer).__name__, shapes, index)
            for weight, value in zip(weights, values, strict=True):
                weight.assign(value)
        shape = (1, *model.input_shape[1:])
        image = np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32)
        vector = model(image, training=False).numpy()[0]
        golden[name] = {
            "parameters": model.count_params(),
            "vector": [float(f"{value:.7g}") for value in vector],
        }
    target = Path(__file__).with_name("golden_keras.json")
    rows = [f'"{name}": {json.dumps(facts)}' for name, facts in golden.items()]
    target.write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
