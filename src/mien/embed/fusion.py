"""Fusion: several recognition models and their mirror images in one vector.

The parts are unit vectors, each the sum of a face's and its mirror image's embedding, some less
their mean over many people, so that strangers have cosine 0. They are scaled by the root of their
weight and put behind one another, so the inner product of two fusions is the weighted mean of the
models' cosines: a sum rule on scores (Kittler, Hatef, Duin and Matas 1998, On Combining
Classifiers), in a form that a gallery can index. ``fusion.json`` has weights and means;
``benchmarks/fit_fusion.py`` made them from people of neither LFW nor MFR2.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.embed.aligned import AlignedNet
from mien.embed.protocol import Embedder
from mien.embed.realigned import MESH, LazyLandmarks, Points5, mesh_landmarks
from mien.errors import InvalidArgument
from mien.models import ModelCard, ModelStore
from mien.types import RGB, EmbeddingContract, Embeddings, Face, Metric

__all__ = ["Fusion", "Learned", "learned", "unit"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What was learned from photos.

    Attributes:
        version: of the fit.
        weights: share of each model's cosine in the fused one, by name; they sum to 1. The first
            model's norm is the fusion's.
        means: mean embeddings over people, by name, for those models whose strangers are alike.
    """

    version: int
    weights: dict[str, float]
    means: dict[str, Floats]


def learned() -> Learned:
    """What ships with Mien."""
    text = importlib.resources.files("mien.embed").joinpath("fusion.json").read_text("utf-8")
    table = json.loads(text)
    total = sum(table["weights"].values())
    return Learned(
        version=table["version"],
        weights={name: weight / total for name, weight in table["weights"].items()},
        means={name: np.array(mean, np.float32) for name, mean in table["means"].items()},
    )


class Fusion:
    """An :class:`~mien.embed.Embedder` made of others.

    A crop is the parts' crops below one another, black beside the narrower ones.

    Args:
        name: card name.
        parts: the models, in the order of ``fit.weights``; their metric is cosine.
        fit: weights and means.
        landmarks: aligns every face; None: the detector's points do.

    Raises:
        InvalidArgument: parts that the fit was not made for.
    """

    metric: Metric = "cosine"

    def __init__(
        self,
        name: str,
        parts: tuple[Embedder, ...],
        fit: Learned,
        *,
        landmarks: Points5 | None = None,
    ) -> None:
        if tuple(part.name for part in parts) != tuple(fit.weights):
            raise InvalidArgument("The parts of a fusion must be the models of its fit.")
        if any(part.metric != "cosine" for part in parts):
            raise InvalidArgument("The parts of a fusion must be compared by cosine.")
        self.name = name
        self._parts = parts
        self._fit = fit
        self._landmarks = landmarks
        heights = [part.size_hw[0] for part in parts]
        self._tops = np.cumsum([0, *heights]).tolist()
        self.size_hw = (sum(heights), max(part.size_hw[1] for part in parts))
        dim = sum(part.contract.dim for part in parts)
        self.contract = EmbeddingContract(name, _hash(parts, fit), fit.version, dim)

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> Fusion:
        """Fetch the weights of the parts, if need be, and open them."""
        fit = learned()
        parts = tuple(AlignedNet.load(models.card(name, "embed"), models) for name in fit.weights)
        return cls(card.name, parts, fit, landmarks=LazyLandmarks(MESH, models))

    def crop(self, image: RGB, face: Face) -> NDArray[np.uint8]:
        """The parts' crops of a face, aligned by the face mesh.

        Raises:
            InvalidArgument: the face has no landmarks, or they coincide.
        """
        if self._landmarks is not None and face.landmarks is not None:
            face = mesh_landmarks(image, face, self._landmarks)
        strip = np.zeros((*self.size_hw, 3), np.uint8)
        for part, top in zip(self._parts, self._tops[:-1], strict=True):
            height, width = part.size_hw
            strip[top : top + height, :width] = part.crop(image, face)
        return strip

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Fused templates of crops ``(n, H, W, 3)``; the norm is the first part's.

        Raises:
            InvalidArgument: crops of another shape or type.
        """
        if crops.shape[1:] != (*self.size_hw, 3) or crops.dtype != np.uint8:
            raise InvalidArgument(
                f"{self.name} takes uint8 crops (n, {self.size_hw[0]}, {self.size_hw[1]}, 3), "
                f"not {crops.dtype} {crops.shape}."
            )
        vectors = []
        norm = np.zeros(len(crops), np.float32)
        for number, (part, top) in enumerate(zip(self._parts, self._tops[:-1], strict=True)):
            height, width = part.size_hw
            own = np.ascontiguousarray(crops[:, top : top + height, :width])
            plain = part.embed(own)
            mirrored = part.embed(np.ascontiguousarray(own[:, :, ::-1]))
            vectors.append(self._weighted(part.name, unit(plain.vector + mirrored.vector)))
            if number == 0:
                norm = plain.norm
        return Embeddings(unit(np.concatenate(vectors, axis=1)), norm)

    def _weighted(self, name: str, vector: Floats) -> Floats:
        """A part's unit vectors, less their mean, of length root of weight."""
        if name in self._fit.means:
            vector = unit(vector - self._fit.means[name])
        return vector * np.float32(np.sqrt(self._fit.weights[name]))


def unit(vector: Floats) -> Floats:
    """Rows ``(n, d)`` brought to length 1; a row of zeros stays."""
    length = np.linalg.norm(vector, axis=1, keepdims=True)
    return np.asarray(vector / np.maximum(length, np.finfo(np.float32).tiny), np.float32)


def _hash(parts: tuple[Embedder, ...], fit: Learned) -> str:
    """Of what the vectors depend on: the parts' own contracts, the weights and the means."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.contract} {fit.weights[part.name]:.6f}\n".encode())
        mean = fit.means.get(part.name)
        digest.update(b"" if mean is None else np.ascontiguousarray(mean, "<f4").tobytes())
    return digest.hexdigest()
