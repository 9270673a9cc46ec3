"""A whole run: photos, crops, teachers, training, one ONNX file, and what it is worth."""

from __future__ import annotations

import dataclasses
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.models import ModelStore
from mien.models.convert.torch import read_tensors
from mien.train.attacks import ALL_PARTS, KINDS, Parts
from mien.train.liveness.config import Run
from mien.train.liveness.crops import CropSet, Mixture, make, read
from mien.train.liveness.judge import judge
from mien.train.liveness.photos import Sample, Split, gather
from mien.train.liveness.teachers import TEACHERS, live_score, softmax, teach

__all__ = ["INPUTS", "Place", "prepare", "report", "scores", "train"]

INPUTS = ("near", "far")
"""Of the student, in the order of the teachers."""

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Place:
    """Where things are.

    Attributes:
        data: folder of the data sets.
        folder: for crops, answers of the teachers, and results.
    """

    data: Path
    folder: Path


def prepare(
    run: Run, place: Place, models: ModelStore, split: Split, *, parts: Parts = ALL_PARTS
) -> tuple[CropSet, Logits]:
    """Crops and what the teachers say of them; what was made before is taken as it is.

    Args:
        run: the configuration.
        place: where.
        models: of the detector, the recognition model and the teachers.
        split: which faces.
        parts: of the simulation.

    Raises:
        ConfigurationError: the photos are not there.
        ModelError: a model cannot be had.
    """
    left_out = "-".join(name for name in Parts.__slots__ if not getattr(parts, name))
    folder = place.folder / (f"without-{left_out}" if left_out else "crops")
    if not (folder / f"{split}.npz").is_file():
        count = {one: getattr(run.crops, one) for one in ("train", "validation", "test")}[split]
        mixture = Mixture(run.weights or dict.fromkeys(KINDS, 1.0), parts)
        samples = _samples(run, place, models)
        make(samples, split, count, folder, spec=run.crops, mixture=mixture)
    crops = read(folder, split)
    return crops, teach(crops, models, folder / f"{split}-teachers.npy")


def train(
    run: Run, models: ModelStore, taught: tuple[CropSet, Logits], check: tuple[CropSet, Logits]
) -> bytes:
    """The student as an ONNX file.

    Args:
        run: the configuration.
        models: of the teachers, which the student begins as thinned copies of.
        taught: crops to train on.
        check: crops by which it is seen when to stop.
    """
    from mien.train.liveness.distil import Lessons, distil, targets
    from mien.train.liveness.export import export

    trunks = {}
    for which, (name, teacher) in enumerate(zip(INPUTS, TEACHERS, strict=True)):
        lessons, held_out = (
            Lessons(
                np.asarray(crops.pixels[:, which]),
                softmax(said[:, which]).astype(np.float32),
                targets(said, crops, run.recipe, which),
            )
            for crops, said in (taught, check)
        )
        file = models.source_path(models.card(teacher, "liveness"))
        tensors = {
            key.removeprefix("module."): value
            for key, value in read_tensors(file.read_bytes()).items()
        }
        print(f"{name}, from {teacher}: {len(lessons.wanted)} crops", flush=True)  # noqa: T201
        trunks[name] = distil(tensors, lessons, held_out, run.recipe)
    return export(trunks)


def scores(net: bytes, crops: CropSet) -> NDArray[np.float64]:
    """What an exported student says of crops, 0..1, ``(n,)``."""
    import onnxruntime

    session = onnxruntime.InferenceSession(net, providers=["CPUExecutionProvider"])
    said = []
    for first in range(0, len(crops), 32):
        seen = crops.pixels[first : first + 32, ..., ::-1].transpose(1, 0, 4, 2, 3)
        image = dict(zip(INPUTS, np.ascontiguousarray(seen, np.float32), strict=True))
        said.append(session.run(["belief"], image)[0][:, 1])
    return np.concatenate(said).astype(np.float64)


def report(
    net: bytes, test: tuple[CropSet, Logits], *, threshold: float, teacher_threshold: float
) -> dict[str, Any]:
    """What a student is worth on held-out crops, as plain values."""
    crops, said = test
    found = judge(
        scores(net, crops),
        live_score(said),
        crops,
        threshold=threshold,
        teacher_threshold=teacher_threshold,
    )
    rounded: dict[str, Any] = json.loads(
        json.dumps(dataclasses.asdict(found)), parse_float=lambda text: round(float(text), 4)
    )
    return rounded


def _samples(run: Run, place: Place, models: ModelStore) -> list[Sample]:
    """The faces, kept between the splits: looking for them takes longest."""
    place.folder.mkdir(parents=True, exist_ok=True)
    file = place.folder / "faces.pickle"  # written by the line below, by nobody else
    if file.is_file():
        kept: list[Sample] = pickle.loads(file.read_bytes())  # noqa: S301
        return kept
    with Engine(settings=models.settings, models=models) as engine:
        samples = gather(place.data, run.photos, engine)
    file.write_bytes(pickle.dumps(samples))
    return samples
