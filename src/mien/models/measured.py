"""What was measured of a model: figures by name, each with its unit, for one data set and protocol.

The names are a closed vocabulary, so that figures of two cards can be compared, and a figure that
is spelled another way is an error. ``docs/reference/models.md`` lists them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from mien.errors import UnknownMetric
from mien.spelling import no_such

__all__ = ["DATA_SETS", "FIGURES", "Figure", "Measured", "Protocol", "Unit", "spelled"]

Protocol = Literal["detection", "pairs", "attributes", "landmarks", "gate"]
"""``gate``: another arithmetic against float32 on the same faces. Others: ``mien eval``'s."""

Unit = Literal["share", "count", "ms", "years", "degrees", "cosine", "interocular"]
"""``interocular``: shares of the distance between the eyes."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A word of the vocabulary.

    Attributes:
        unit: what it is counted in.
        better: which way is good.
        protocols: those that measure it.
        meaning: one line, for people.
    """

    unit: Unit
    better: Literal["more", "less"]
    protocols: tuple[Protocol, ...]
    meaning: str


_EVAL: tuple[Protocol, ...] = ("detection", "pairs", "attributes", "landmarks")

FIGURES: Mapping[str, Figure] = MappingProxyType(
    {
        "recall": Figure("share", "more", ("detection",), "faces found / faces"),
        "precision": Figure("share", "more", ("detection",), "faces found / detections"),
        "ap50": Figure("share", "more", ("detection",), "average precision at an overlap of .5"),
        "accuracy": Figure("share", "more", ("pairs", "attributes"), "right answers / answers"),
        "accuracy_std": Figure("share", "less", ("pairs",), "deviation of the folds' accuracies"),
        "accuracy_women": Figure("share", "more", ("attributes",), "accuracy where a woman is"),
        "accuracy_men": Figure("share", "more", ("attributes",), "accuracy where a man is"),
        "auc": Figure("share", "more", ("pairs", "attributes"), "area under the ROC curve"),
        "eer": Figure("share", "less", ("pairs",), "where both error rates are equal"),
        "tar_1e-2": Figure("share", "more", ("pairs",), "genuine pairs accepted at FMR 1e-2"),
        "tar_1e-3": Figure("share", "more", ("pairs",), "genuine pairs accepted at FMR 1e-3"),
        "tpr": Figure("share", "more", ("attributes",), "right among those that have it"),
        "fpr": Figure("share", "less", ("attributes",), "wrong among those that have it not"),
        "mae_years": Figure("years", "less", ("attributes",), "mean absolute error of the age"),
        "mae_degrees": Figure("degrees", "less", ("attributes",), "mean absolute error of angles"),
        "in_range": Figure("share", "more", ("attributes",), "true ages inside the range given"),
        "nme": Figure("interocular", "less", ("landmarks",), "mean distance of the points"),
        "undetected": Figure("count", "less", ("pairs", "attributes"), "photos without a face"),
        "cosine_median": Figure("cosine", "more", ("gate",), "median cosine to float32"),
        "cosine_percentile_1": Figure("cosine", "more", ("gate",), "its first percentile"),
        "cosine_min": Figure("cosine", "more", ("gate",), "its least"),
        "cpu_ms": Figure("ms", "less", _EVAL, "process CPU milliseconds a photo"),
    }
)

DATA_SETS: Mapping[str, str] = MappingProxyType(
    {
        "LFW folds 1-2": "Labelled Faces in the Wild (Huang et al. 2007), view 2, folds 1 and 2: "
        "1,200 pairs of 1,583 photos",
        "MFR2": "Masked faces of 53 people (Anwar and Raychowdhury 2020), the part at hand: 590 "
        "pairs of 18 people, 104 photos labelled with and without a mask",
        "CompreFace": "18 photos with 46 faces whose noses are labelled, from CompreFace's tests",
        "CompreFace and dlib": "those 18 photos of CompreFace and nine with 43 labelled boxes from "
        "dlib's examples; scales and limits of some detectors were chosen on them",
    }
)
"""The sets that the cards of this project were measured on. Other catalogues may name others."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One measurement of a card's model.

    Attributes:
        on: the data set.
        protocol: what was run.
        how: the command, or what else somebody needs to know to do it again.
        threads: CPU budget that ``cpu_ms`` was measured with; None where it was not.
        arithmetic: of the net; what was measured against float32 where the protocol is ``gate``.
        notes: what to know about the figures.
        figures: by name, see :data:`FIGURES`. In a card's TOML they stand beside the other keys.

    Raises:
        UnknownMetric: a figure that the vocabulary does not have.
        ValueError: a figure that its protocol does not measure, or a value that cannot be.
    """

    on: str
    protocol: Protocol
    how: str
    threads: int | None = None
    arithmetic: str = "float32"
    notes: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.on.strip() or not self.how.strip():
            raise ValueError("on and how must say something")
        if not self.figures:
            raise ValueError(f"no figure was given for {self.on}")
        for name, value in self.figures.items():
            figure = _figure(name)
            if self.protocol not in figure.protocols:
                raise ValueError(f"{name} is no figure of the protocol {self.protocol}")
            if not math.isfinite(value) or (figure.unit == "share" and not 0 <= value <= 1):
                raise ValueError(f"{name} cannot be {value}")
        if ("cpu_ms" in self.figures) != (self.threads is not None):
            raise ValueError("threads belongs to cpu_ms: give both or neither")
        if self.threads is not None and self.threads < 1:
            raise ValueError("threads must be at least 1")
        if self.protocol == "gate" and self.arithmetic == "float32":
            raise ValueError("a gate measures another arithmetic than float32")


def spelled(name: str, value: float) -> str:
    """A figure for people, with the digits that are worth reading; its name says the unit.

    Example:
        >>> spelled("recall", 0.98876), spelled("cpu_ms", 57.23)
        ('0.9888', '57.2')
    """
    figure = FIGURES[name]
    if figure.unit == "count":
        return f"{value:.0f}"
    if figure.unit in ("ms", "years", "degrees"):
        return f"{value:.1f}"
    return f"{value:.5f}" if figure.unit == "cosine" else f"{value:.4f}"


def _figure(name: str) -> Figure:
    """The word, or an error with the nearest ones.

    Raises:
        UnknownMetric: there is no such word.
    """
    if name in FIGURES:
        return FIGURES[name]
    raise UnknownMetric(no_such("figure", name, FIGURES), details={"metric": name})
