"""Runs in UniFace's and InsightFace's environment: their embeddings of one face.

    python work_peer_recognisers.py MODEL NET IMAGE LANDMARKS ANSWER

NET is an ONNX file, IMAGE a BGR image (.npy), LANDMARKS its five points (.npy); the embedding is
written to ANSWER (.npy). Their own code aligns, normalises and runs.
"""

from __future__ import annotations

import sys

import numpy as np


def insightface(net: str, image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """As ``FaceAnalysis`` does for the packs."""
    from types import SimpleNamespace

    from insightface.model_zoo.arcface_onnx import ArcFaceONNX

    model = ArcFaceONNX(net)
    model.prepare(ctx_id=-1)
    return model.get(image, SimpleNamespace(kps=points))


def uniface(name: str, net: str, image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """As UniFace's class for the model does, with our file for its own."""
    from uniface import recognition

    module, kind = {
        "adaface_ir18": (recognition.adaface, "AdaFace"),
        "edgeface_xxs": (recognition.edgeface, "EdgeFace"),
        "mobileface_mnv2": (recognition.mobileface, "MobileFace"),
    }[name]
    module.verify_model_weights = lambda *_, **__: net
    return getattr(module, kind)().get_embedding(image, points).ravel()


def main() -> None:
    """Embed and write."""
    name, net, image, points, answer = sys.argv[1:]
    given = np.load(image), np.load(points)
    if name.startswith("buffalo"):
        np.save(answer, insightface(net, *given))
    else:
        np.save(answer, uniface(name, net, *given))


if __name__ == "__main__":
    main()
