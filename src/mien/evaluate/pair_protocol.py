"""The pair protocol: how well are two photos of one person told from photos of two people?"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.errors import InvalidArgument
from mien.evaluate import verification
from mien.evaluate.lists import PairList, read_pairs
from mien.evaluate.templates import Templates, embed_files
from mien.match.metrics import paired_similarity
from mien.models.progress import Progress, silent
from mien.types import Result

__all__ = ["FOLD_SEED", "PairsReport", "Score", "pairs", "pairs_report", "seeded_folds"]

Score = Literal["confidence", "similarity"]

FOLD_SEED = 0
FOLDS = 10
TAR_AT = {"1e-2": 1e-2, "1e-3": 1e-3}


@dataclass(frozen=True, slots=True, eq=False)
class PairsReport(Result):
    """What ``mien eval pairs`` answers.

    Attributes:
        pairs, images: how many of each; every image is embedded once.
        undetected: images without a face or that cannot be decoded, as the list spells them.
            Their pairs score below all others.
        folds: number of folds that the accuracy is averaged over.
        accuracy: mean and deviation over folds, and the median threshold.
        auc, eer: over all pairs.
        tar: true-accept rate by false-match rate, floor rule.
        ms_per_image_cpu: process CPU milliseconds of reading, detecting and embedding a photo.
        score: what the pairs were scored by.
        impostor_pairs: how many; a false-match rate below 3 / impostor_pairs is not supported.
        curve: the ROC.
    """

    pairs: int
    images: int
    undetected: tuple[str, ...]
    folds: int
    accuracy: verification.Accuracy
    auc: float
    eer: float
    tar: dict[str, float]
    ms_per_image_cpu: float
    embedder: str
    detector: str
    score: Score
    impostor_pairs: int
    curve: verification.Roc = field(repr=False)

    def __str__(self) -> str:
        return (
            f"accuracy {self.accuracy.mean:.4f} ± {self.accuracy.std:.4f} over {self.folds} folds, "
            f"{self.pairs} pairs of {self.images} images, {len(self.undetected)} undetected"
        )

    def to_dict(self) -> dict[str, Any]:
        """The document of ``mien eval pairs --json``."""
        return {
            "pairs": self.pairs,
            "images": self.images,
            "undetected": len(self.undetected),
            "undetected_images": list(self.undetected),
            "folds": self.folds,
            "accuracy": round(self.accuracy.mean, 6),
            "std": round(self.accuracy.std, 6),
            "auc": round(self.auc, 6),
            "eer": round(self.eer, 6),
            "tar": {name: round(value, 6) for name, value in self.tar.items()},
            "threshold": round(self.accuracy.threshold, 6),
            "ms_per_image_cpu": round(self.ms_per_image_cpu, 3),
            "embedder": self.embedder,
            "detector": self.detector,
            "score": self.score,
        }


def pairs(
    engine: Engine,
    pairs_csv: str | Path,
    root: str | Path,
    *,
    score: Score | None = None,
    progress: Progress = silent,
) -> PairsReport:
    """Run the pair protocol on a list of photos.

    Args:
        engine: detects and embeds; the face of each photo's subject counts.
        pairs_csv: columns ``a,b,same`` (0 or 1) and optionally ``fold``.
        root: the folder that the list's paths are relative to.
        score: ``confidence`` or ``similarity``; None: confidence where the recognition model has
            a calibration, otherwise similarity.
        progress: told how many photos are done.

    Raises:
        InvalidArgument: a list that cannot be used, or ``confidence`` without a calibration.
        ImageNotFound: listed images are missing.
        ModelError: a model cannot be had or run.

    Example:
        >>> from mien import Engine                                      # doctest: +SKIP
        >>> pairs(Engine(), "pairs.csv", "photos").accuracy.mean         # doctest: +SKIP
    """
    pair_list = read_pairs(pairs_csv)
    _score(engine, score)
    _fold(pair_list)
    templates = embed_files(engine, pair_list.names, root, progress=progress)
    return pairs_report(engine, pair_list, templates, score=score)


def pairs_report(
    engine: Engine, pair_list: PairList, templates: Templates, *, score: Score | None = None
) -> PairsReport:
    """Score pairs whose photos are embedded already; see :func:`pairs`."""
    chosen = _score(engine, score)
    scores = _scores(engine, pair_list, templates, chosen)
    same = pair_list.same
    genuine, impostor = scores[same], scores[~same]
    fold = _fold(pair_list)
    return PairsReport(
        pairs=len(pair_list),
        images=len(templates),
        undetected=tuple(pair_list.names[i] for i in np.flatnonzero(~templates.found)),
        folds=len(set(fold)),
        accuracy=verification.fold_accuracy(scores, same, fold),
        auc=verification.auc(genuine, impostor),
        eer=verification.equal_error_rate(genuine, impostor),
        tar={name: verification.tar_at_fmr(genuine, impostor, fmr) for name, fmr in TAR_AT.items()},
        ms_per_image_cpu=templates.ms_per_image_cpu,
        embedder=engine.embedder.name,
        detector=engine.detector.name,
        score=chosen,
        impostor_pairs=len(impostor),
        curve=verification.roc(genuine, impostor),
    )


def _fold(pair_list: PairList) -> tuple[str, ...]:
    """The list's folds, or seeded ones.

    Raises:
        InvalidArgument: one fold only, or too few pairs for two.
    """
    fold = pair_list.fold or seeded_folds(pair_list.same)
    if len(set(fold)) < 2:
        raise InvalidArgument(
            "Accuracy takes its threshold from the other folds: give two folds or more, or no "
            "fold column."
        )
    return fold


def seeded_folds(same: NDArray[np.bool_], *, folds: int = FOLDS) -> tuple[str, ...]:
    """Ten folds with equal shares of both kinds of pair, shuffled with seed :data:`FOLD_SEED`.

    Fewer than ten where there are fewer genuine or impostor pairs than that.

    Raises:
        InvalidArgument: fewer than two pairs of a kind.
    """
    count = min(folds, int(same.sum()), int((~same).sum()))
    if count < 2:
        raise InvalidArgument("Folds need two genuine and two impostor pairs or more.")
    generator = np.random.default_rng(FOLD_SEED)
    fold = np.empty(len(same), np.intp)
    for kind in (True, False):
        members = generator.permutation(np.flatnonzero(same == kind))
        fold[members] = np.arange(len(members)) % count
    return tuple(str(index + 1) for index in fold)


def _score(engine: Engine, score: Score | None) -> Score:
    if score is None:
        return "similarity" if engine.calibration is None else "confidence"
    if score not in ("confidence", "similarity"):
        raise InvalidArgument("score must be confidence or similarity.")
    if score == "confidence" and engine.calibration is None:
        raise InvalidArgument(
            "This recognition model has no calibration: score by similarity, or calibrate it "
            "with `mien eval calibrate`."
        )
    return score


def _scores(
    engine: Engine, pair_list: PairList, templates: Templates, score: Score
) -> NDArray[np.float64]:
    a, b = pair_list.a, pair_list.b
    scores = paired_similarity(
        templates.vector[a], templates.vector[b], engine.embedder.metric
    ).astype(np.float64)
    if score == "confidence" and engine.calibration is not None:
        scores = engine.calibration.confidence(scores, templates.norm[a], templates.norm[b])
    scores[~(templates.found[a] & templates.found[b])] = -np.inf
    return scores
