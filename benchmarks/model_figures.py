"""What ``mien eval`` says of one model on one list of labelled photos, as entries for a card."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mien import Engine
from mien.evaluate import attributes, detection, pairs
from mien.models import ModelStore
from mien.models.measured import Measured

Kind = Literal["detection", "pairs", "attributes"]

GROUPS = {"F": "accuracy_women", "M": "accuracy_men"}
NAMES = {"mae": "mae_years"}


@dataclass(frozen=True)
class List:
    """A list of labelled photos.

    Attributes:
        on: name of the data set.
        kind: what it is for.
        file: relative to the folder of the data.
        part: of a detection truth whose entries have a ``set``: only this one.
    """

    on: str
    kind: Kind
    file: str
    part: str = ""

    @classmethod
    def parse(cls, kind: Kind, text: str) -> List:
        """``NAME=FILE``; without a name the file's own."""
        name, mark, file = text.partition("=")
        return cls(name, kind, file) if mark else cls(Path(text).stem, kind, text)


OWN = (
    List("CompreFace", "detection", "detection_gt.json", part="compreface"),
    List("CompreFace and dlib", "detection", "detection_gt.json"),
    List("LFW folds 1-2", "pairs", "lfw/pairs_folds_1_2.csv"),
    List("MFR2", "pairs", "mfr2/pairs.csv"),
    List("LFW folds 1-2", "attributes", "lfw/gender.csv"),
    List("MFR2", "attributes", "mfr2/labels.csv"),
)
"""The project's own lists."""


def of_detector(name: str, models: ModelStore, listed: List, data: Path) -> Measured:
    """Recall, precision, AP50, and CPU milliseconds a decoded photo."""
    engine = Engine(detector=name, settings=models.settings, models=models)
    with engine, _truth(listed, data) as truth:
        engine.load()
        report = detection(engine, truth, data)
    photos = f", the photos of the set {listed.part}" if listed.part else ""
    return Measured(
        on=listed.on,
        protocol="detection",
        how=f"mien eval detection --truth {listed.file} --detector {name}{photos}",
        threads=models.settings.thread_budget,
        figures={
            "recall": report.recall,
            "precision": report.precision,
            "ap50": report.ap50,
            "cpu_ms": report.ms_per_image_cpu,
        },
    )


@contextmanager
def _truth(listed: List, data: Path) -> Iterator[Path]:
    """The list's file, or one with a part of it."""
    if not listed.part:
        yield data / listed.file
        return
    entries = json.loads((data / listed.file).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "truth.json"
        file.write_text(json.dumps([one for one in entries if one.get("set") == listed.part]))
        yield file


def of_embedder(name: str, models: ModelStore, listed: List, data: Path) -> Measured:
    """Accuracy, AUC, TAR, and CPU milliseconds of reading, detecting and embedding a photo."""
    with Engine(embedder=name, settings=models.settings, models=models) as engine:
        engine.load()
        report = pairs(engine, data / listed.file, data, score="similarity")
    return Measured(
        on=listed.on,
        protocol="pairs",
        how=f"mien eval pairs --pairs {listed.file} --embedder {name} --score similarity, "
        f"detector {report.detector}",
        threads=models.settings.thread_budget,
        figures={
            "accuracy": report.accuracy.mean,
            "accuracy_std": report.accuracy.std,
            "auc": report.auc,
            "eer": report.eer,
            **{f"tar_{fmr}": tar for fmr, tar in report.tar.items()},
            "undetected": len(report.undetected),
            "cpu_ms": report.ms_per_image_cpu,
        },
    )


def of_attributes(models: ModelStore, listed: List, data: Path) -> dict[str, Measured]:
    """The figures of every labelled attribute, by its name."""
    with Engine(settings=models.settings, models=models) as engine:
        report = attributes(engine, data / listed.file, data)
    return {
        name: Measured(
            on=listed.on,
            protocol="attributes",
            how=f"mien eval attributes --list {listed.file}: {measures['n']} photos, detector "
            f"{report.detector}",
            figures=_figures(measures),
        )
        for name, measures in report.measures.items()
    }


def _figures(measures: Mapping[str, Any]) -> dict[str, float]:
    """A column's figures by the names of the vocabulary, without those that there are not."""
    figures = {NAMES.get(k, k): v for k, v in measures.items() if k not in ("n", "by_group")}
    by_group = measures.get("by_group", {})
    figures |= {name: by_group[group] for group, name in GROUPS.items() if group in by_group}
    return {k: v for k, v in figures.items() if v is not None and math.isfinite(v)}
