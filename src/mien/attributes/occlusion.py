"""Occlusion: are the eyes, the mouth and the forehead to be seen?

Each part has a linear model over its colours and edges (``mien.attributes.covered``), fitted by
``benchmarks/fit_occlusion.py`` on faces of LFW with things painted over them: lenses, cloth,
patches of colour, of texture and of the face's own skin, caps and fringes. The mouth is covered
too where the mask net says so. What that can and cannot do: docs/reference/attributes.md.
"""

from __future__ import annotations

import functools
import importlib.resources
import json

import numpy as np
from numpy.typing import NDArray

from mien.analysis import Occlusion, Presence
from mien.attributes.covered import PARTS, Chip, chip_of, colour_measures, edge_measures
from mien.attributes.face_mesh import MeshReader
from mien.attributes.mask import MaskNet
from mien.attributes.protocol import FaceView
from mien.models import ModelStore

__all__ = ["OcclusionModel", "measures"]

Floats = NDArray[np.float32]


class OcclusionModel:
    """Whether each of three parts is covered.

    Args:
        reader: gives the mesh.
        mask: finds face masks.
    """

    name = "occlusion"

    def __init__(self, reader: MeshReader, mask: MaskNet) -> None:
        self._reader = reader
        self._mask = mask

    @classmethod
    def load(cls, models: ModelStore) -> OcclusionModel:
        """Fetch the weights of the landmark models and of the mask net, and open them."""
        return cls(MeshReader.load(models), MaskNet.load(models))

    def measure(self, view: FaceView) -> Occlusion:
        """Eyes, mouth and forehead; looked at once a view, whoever asks."""
        return view.once("occlusion", lambda: self._look(view))

    def _look(self, view: FaceView) -> Occlusion:
        chip = chip_of(view.image, self._reader.mesh(view))
        scores = {part: _score(chip, part) for part in PARTS}
        scores["mouth"] = max(scores["mouth"], self._mask.measure(view).score)
        said = {part: Presence(score >= 0.5, score) for part, score in scores.items()}
        return Occlusion(eyes=said["eyes"], mouth=said["mouth"], forehead=said["forehead"])


def measures(chip: Chip, part: str) -> Floats:
    """What the model of ``part`` looks at.

    The forehead has no edges of its own that would be missing: hair and wrinkles differ.
    """
    region = PARTS[part]
    colours = colour_measures(chip, region)
    if part == "forehead":
        return np.concatenate([colours, colours**2])
    return np.concatenate([colours, edge_measures(chip, region)])


@functools.cache
def _weights() -> dict[str, tuple[Floats, float]]:
    """Of each part: one weight a measure, and the constant."""
    file = importlib.resources.files("mien.attributes") / "occlusion.json"
    stored = json.loads(file.read_text(encoding="utf-8"))
    return {
        part: (np.array(one["weights"], np.float32), float(one["constant"]))
        for part, one in stored.items()
    }


def _score(chip: Chip, part: str) -> float:
    weights, constant = _weights()[part]
    logit = float(measures(chip, part) @ weights) + constant
    return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))
