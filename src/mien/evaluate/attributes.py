"""The attribute protocol: do the attributes agree with a list's labels?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mien.analysis import Age, Emotion, FaceAnalysis, Gender
from mien.engine import Engine
from mien.errors import ImageError
from mien.evaluate import verification
from mien.evaluate.attribute_lists import YES_OR_NO, AttributeList, YesOrNo, read_attributes
from mien.evaluate.lists import check_files
from mien.evaluate.templates import BATCH, subject
from mien.models.progress import Progress, silent
from mien.types import Result

__all__ = ["AttributesReport", "attributes"]

Found = Sequence[FaceAnalysis | None]
Measures = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class AttributesReport(Result):
    """What ``mien eval attributes`` answers.

    Attributes:
        images: how many photos are listed.
        undetected: photos without a face or that cannot be decoded. In every accuracy they are
            errors; ages and AUC leave them out.
        measures: by attribute, see docs/reference/evaluation.md.
        ms_per_image_cpu: process CPU milliseconds of reading, detecting and analysing a photo.
        detector: its name.
    """

    images: int
    undetected: tuple[str, ...]
    measures: dict[str, Measures]
    ms_per_image_cpu: float
    detector: str

    def __str__(self) -> str:
        return f"{self.images} images, {len(self.undetected)} undetected"

    def to_dict(self) -> dict[str, Any]:
        """The document of ``mien eval attributes --json``."""
        return {
            **self.measures,
            "images": self.images,
            "undetected": len(self.undetected),
            "undetected_images": list(self.undetected),
            "ms_per_image_cpu": round(self.ms_per_image_cpu, 3),
            "detector": self.detector,
        }


def attributes(
    engine: Engine, list_csv: str | Path, root: str | Path, *, progress: Progress = silent
) -> AttributesReport:
    """Analyse the subject's face of every listed photo and compare it with the labels.

    Args:
        engine: detects and analyses.
        list_csv: column ``path``, any of :data:`mien.evaluate.attribute_lists.LABELS`, and
            optionally ``group``.
        root: the folder that the list's paths are relative to.
        progress: told how many photos are done.

    Raises:
        InvalidArgument: a list that cannot be used.
        ImageNotFound: listed images are missing.
        ModelError: a model cannot be had or run.

    Example:
        >>> from mien import Engine                                            # doctest: +SKIP
        >>> attributes(Engine(), "list.csv", "photos").measures["gender"]      # doctest: +SKIP
    """
    listed = read_attributes(list_csv)
    paths = check_files(listed.names, root)
    columns = tuple(listed.labels)
    actions = tuple(dict.fromkeys(_action(column) for column in columns))
    for action in actions:
        engine.attribute(action)
    _ = engine.detector
    found: list[FaceAnalysis | None] = []
    started = time.process_time()
    for start in range(0, len(paths), BATCH):
        found += engine.map(partial(_subject, engine, actions), paths[start : start + BATCH])
        progress("Analysing photos", len(found), len(paths))
    spent = time.process_time() - started
    return AttributesReport(
        images=len(paths),
        undetected=tuple(n for n, one in zip(listed.names, found, strict=True) if one is None),
        measures={column: _measure(column, listed, found) for column in columns},
        ms_per_image_cpu=1000 * spent / len(paths),
        detector=engine.detector.name,
    )


def _subject(engine: Engine, actions: tuple[str, ...], path: Path) -> FaceAnalysis | None:
    """The subject's attributes, or None: a failure to acquire."""
    try:
        photo = engine.photo(path)
        found = engine.detect(photo, liveness="off")
        if not len(found):
            return None
        chosen = subject(found.faces, width=found.width, height=found.height)
        return engine.analyze_faces(photo, found.faces.take([chosen]), actions=actions)[0]
    except ImageError:
        return None


def _action(column: str) -> str:
    """The attribute that answers a column."""
    return YES_OR_NO[column].action if column in YES_OR_NO else column


def _measure(column: str, listed: AttributeList, found: Found) -> Measures:
    """The figures of one column over the photos whose label is known."""
    known = [i for i, label in enumerate(listed.labels[column]) if label]
    labels = [listed.labels[column][i] for i in known]
    answers = [found[i] for i in known]
    if column == "age":
        return _age(labels, answers)
    if column in YES_OR_NO:
        return _yes_or_no(labels, answers, YES_OR_NO[column])
    said = [None if one is None else _said(one[column]) for one in answers]
    groups = [listed.group[i] for i in known]
    return _accuracy(labels, said, groups if any(groups) else labels)


def _said(value: Gender | Emotion) -> str:
    if isinstance(value, Emotion):
        return value.value
    return {"male": "M", "female": "F"}[value.value]


def _accuracy(labels: Sequence[str], said: Sequence[str | None], groups: Sequence[str]) -> Measures:
    """Share of right answers, over all and by group (without a column ``group``, by label)."""
    right = np.array([a == b for a, b in zip(labels, said, strict=True)])
    by_group = {
        name: _rounded(right[[group == name for group in groups]].mean())
        for name in sorted({group for group in groups if group})
    }
    return {"n": len(labels), "accuracy": _rounded(_mean(right)), "by_group": by_group}


def _age(labels: Sequence[str], answers: Found) -> Measures:
    """Mean absolute error in years, and the share of true ages within the answered range."""
    rows: list[tuple[float, Age]] = [
        (float(label), one["age"])
        for label, one in zip(labels, answers, strict=True)
        if one is not None
    ]
    error = np.array([abs(age.value - label) for label, age in rows])
    inside = np.array([age.low <= label <= age.high for label, age in rows])
    return {"n": len(rows), "mae": _rounded(_mean(error)), "in_range": _rounded(_mean(inside))}


def _yes_or_no(labels: Sequence[str], answers: Found, column: YesOrNo) -> Measures:
    """Accuracy at 0.5, AUC, and the rates of those that it is so of, and not so, called so."""
    so = np.array([label != column.no for label in labels], np.bool_)
    there = np.array([one is not None for one in answers], np.bool_)
    score = np.array([np.nan if one is None else _score(one, column) for one in answers])
    said = np.array([one is not None and _score(one, column) >= 0.5 for one in answers], np.bool_)
    positive, negative = score[so & there], score[~so & there]
    both = len(positive) and len(negative)
    return {
        "n": len(labels),
        "accuracy": _rounded(_mean((said == so) & there)),
        "auc": _rounded(verification.auc(positive, negative)) if both else None,
        "tpr": _rounded(_mean(said[so])),
        "fpr": _rounded(_mean(said[~so])),
    }


def _score(one: FaceAnalysis, column: YesOrNo) -> float:
    answer = one[column.action]
    if not column.parts:
        return float(answer.score)
    return _mean([float(getattr(answer, part).score) for part in column.parts])


def _mean(values: Any) -> float:  # noqa: ANN401  # bool or float array
    return float(np.mean(values)) if len(values) else float("nan")


def _rounded(value: float) -> float:
    return round(float(value), 6)
