"""Runs in DeepFace's environment: a net with random weights, its published file, its embeddings.

    python work_peer_deepface.py MODEL FOLDER

Builds DeepFace's own Keras graph, fills it with random weights, writes the file as it is published
into FOLDER, and the net's answers to FOLDER/crops.npy (uint8 RGB) into FOLDER/answers.npz:
``as_deepface`` with what DeepFace feeds by default, ``as_trained`` with what it was trained on.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zipfile
from importlib import import_module
from pathlib import Path

os.environ["DEEPFACE_HOME"] = tempfile.mkdtemp()
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
from deepface import DeepFace  # noqa: F401  (it chooses Keras 2)
from deepface.commons import weight_utils

CLIENTS = {
    "vgg-face": ("VGGFace", "VggFaceClient"),
    "facenet": ("Facenet", "FaceNet128dClient"),
    "facenet512": ("Facenet", "FaceNet512dClient"),
    "openface": ("OpenFace", "OpenFaceClient"),
    "deepface": ("FbDeepFace", "DeepFaceClient"),
    "arcface": ("ArcFace", "ArcFaceClient"),
    "ghostfacenet": ("GhostFaceNet", "GhostFaceNetClient"),
    "deepid": ("DeepID", "DeepIdClient"),
}
RGB_MEAN_OF_VGG_FACE = np.array([129.1863, 104.7624, 93.5940])


def trained_on(name: str, rgb: np.ndarray) -> np.ndarray:
    """What each net was trained on, written apart from Mien's cards; RGB 0..255 in."""
    if name == "vgg-face":
        made = rgb - RGB_MEAN_OF_VGG_FACE
    elif name == "facenet":
        mean = rgb.mean(axis=(1, 2, 3), keepdims=True)
        made = (rgb - mean) / rgb.std(axis=(1, 2, 3), keepdims=True)
    elif name in ("openface", "deepface"):
        made = rgb / 255
    elif name == "deepid":
        made = (rgb / 255 - 0.5) * 2
    else:
        made = (rgb - 127.5) / 128
    return made.astype(np.float32)


def randomise(model) -> None:
    """Weights that keep numbers in range, whatever the depth; the same for the same net."""
    random = np.random.default_rng(11)
    for weight in model.weights:
        shape, kind = tuple(weight.shape), weight.name.split("/")[-1].split(":")[0]
        if kind in ("gamma", "moving_variance"):
            value = random.uniform(0.5, 1.5, shape)
        elif kind in ("beta", "moving_mean", "bias"):
            value = random.normal(0, 0.1, shape)
        elif kind == "alpha":
            value = random.uniform(0, 0.5, shape)
        else:
            inputs = shape[1] if len(shape) == 3 else int(np.prod(shape[:-1]))
            if kind == "depthwise_kernel":
                inputs = int(np.prod(shape[:2]))
            value = random.standard_normal(shape, np.float32) * (2 / inputs) ** 0.5
        weight.assign(value.astype(np.float32))


def publish(name: str, model, folder: Path) -> None:
    """The file as it is published: weights alone, but GhostFaceNet's is a whole model."""
    file = folder / "net.h5"
    if name == "ghostfacenet":
        model.save(file)
    else:
        model.save_weights(file)
    if name == "deepface":
        with zipfile.ZipFile(folder / "net.h5.zip", "w", zipfile.ZIP_DEFLATED, 1) as box:
            box.write(file, "VGGFace2_DeepFace_weights_val-0.9034.h5")
        file.unlink()


def main() -> None:
    """Build, fill, publish, run."""
    name, folder = sys.argv[1], Path(sys.argv[2])

    def fill(model, weight_file):
        randomise(model)
        publish(name, model, folder)
        return model

    weight_utils.download_weights_if_necessary = lambda **_: ""
    weight_utils.load_model_weights = fill
    place, client = CLIENTS[name]
    module = import_module(f"deepface.models.facial_recognition.tf.{place}")
    module.tf_minor = 12  # FbDeepFace asks; Keras 2 has its layers in later versions too
    net = getattr(module, client)()
    crops = np.load(folder / "crops.npy")
    default = (crops[..., ::-1] / 255).astype(np.float32)
    answers = {"as_deepface": default, "as_trained": trained_on(name, crops.astype(np.float64))}
    np.savez(
        folder / "answers.npz",
        **{
            key: np.array([net.forward(one[None]) for one in given])
            for key, given in answers.items()
        },
    )


if __name__ == "__main__":
    main()
