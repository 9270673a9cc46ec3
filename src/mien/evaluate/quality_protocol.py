"""The quality protocol: does the quality of two photos say whether recognition fails on them?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.analysis import Quality
from mien.attributes.quality_score import NORM_MODELS, RECOGNITION, quality_score, recognition
from mien.engine import Engine
from mien.errors import ImageError, InvalidArgument
from mien.evaluate.degradations import GRADES, KINDS, spoil
from mien.evaluate.discard import Discard, error_versus_discard
from mien.evaluate.lists import PairList, check_files, read_pairs
from mien.evaluate.templates import BATCH, subject
from mien.evaluate.verification import threshold_at_fmr
from mien.match.metrics import paired_similarity
from mien.models.progress import Progress, silent
from mien.types import Result

__all__ = ["QualityReport", "quality"]

Floats = NDArray[np.float64]

SHOWN = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4)
UNSPOILT = "as it is"
SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class QualityReport(Result):
    """What ``mien eval quality`` answers.

    Attributes:
        pairs: genuine pairs.
        images, undetected: photos, and those of them without a face or that cannot be decoded;
            they have the lowest quality, and their pairs fail.
        spoilt: photos of the list's column ``b`` that were spoilt on purpose.
        fmr, threshold: of the decision, on the raw similarity.
        fnmr: share of the genuine pairs that fall below it.
        curves: error versus discard, by what says the quality: ``quality`` is the attribute's
            score, ``norm`` the embedding's norm, ``quality+norm`` the score with the norm (of
            models whose norm is SFace's).
        by_kind: pairs and FNMR by what was done to the second photo; empty unless spoilt.
    """

    pairs: int
    images: int
    undetected: tuple[str, ...]
    spoilt: int
    fmr: float
    threshold: float
    fnmr: float
    curves: Mapping[str, Discard] = field(repr=False)
    by_kind: Mapping[str, tuple[int, float]]
    embedder: str
    detector: str

    def __str__(self) -> str:
        return (
            f"FNMR {self.fnmr:.4f} of {self.pairs} genuine pairs at similarity "
            f"{self.threshold:.4f} (FMR {self.fmr:g}), {self.images} photos, {self.spoilt} spoilt, "
            f"{len(self.undetected)} undetected"
        )

    def to_dict(self) -> dict[str, Any]:
        """The document of ``mien eval quality --json``."""
        return {
            "pairs": self.pairs,
            "images": self.images,
            "undetected": len(self.undetected),
            "undetected_images": list(self.undetected),
            "spoilt": self.spoilt,
            "fmr": self.fmr,
            "threshold": round(self.threshold, 6),
            "fnmr": round(self.fnmr, 6),
            "curves": {name: _figures(curve) for name, curve in self.curves.items()},
            "by_kind": {
                kind: {"pairs": count, "fnmr": round(rate, 6)}
                for kind, (count, rate) in self.by_kind.items()
            },
            "embedder": self.embedder,
            "detector": self.detector,
        }


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """A photo's subject: its embedding and its quality."""

    vector: NDArray[np.float32]
    norm: float
    detection: float
    quality: Quality

    @property
    def with_norm(self) -> int:
        """The quality score of who knows the embedding's norm, too."""
        known = {**self.quality.components, RECOGNITION: recognition(self.norm)}
        return quality_score(self.detection, known, measures=self.quality.measures)


@dataclass(frozen=True, slots=True)
class _Look:
    """A photo to look at, as it is or spoilt: its number in the list, its file, what is done."""

    photo: int
    path: Path
    kind: str = UNSPOILT
    grade: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What to look at, with the list's names, and the pairs: two numbers of looks each."""

    looks: tuple[_Look, ...]
    names: tuple[str, ...]
    a: NDArray[np.intp]
    b: NDArray[np.intp]
    same: NDArray[np.bool_]


def quality(
    engine: Engine,
    pairs_csv: str | Path,
    root: str | Path,
    *,
    fmr: float = 1e-3,
    spoilt: bool = False,
    progress: Progress = silent,
) -> QualityReport:
    """Leave out the genuine pairs of lowest quality, and see whether failures go with them.

    Args:
        engine: detects, embeds and measures quality; each photo's subject counts.
        pairs_csv: columns ``a,b,same`` (0 or 1).
        root: the folder that the list's paths are relative to.
        fmr: false-match rate of the decision. Its threshold is the calibration's, on the raw
            similarity, and then only genuine pairs are looked at; without a calibration that of
            the list's own impostor pairs.
        spoilt: spoil each photo of column ``b``, by a kind and to a grade drawn with a fixed seed.
        progress: told how many photos are done.

    Raises:
        InvalidArgument: a list that cannot be used, or a rate outside (0, 1).
        ImageNotFound: listed images are missing.
        ModelError: a model cannot be had or run.

    Example:
        >>> from mien import Engine                                           # doctest: +SKIP
        >>> quality(Engine(), "pairs.csv", "photos").curves["quality"].gain   # doctest: +SKIP
    """
    if not 0 < fmr < 1:
        raise InvalidArgument("fmr must lie between 0 and 1, both excluded.")
    pair_list = read_pairs(pairs_csv)
    paths = check_files(pair_list.names, root)
    engine.load()
    engine.attribute("quality")
    plan = _plan(pair_list, paths, spoilt=spoilt, genuine_only=engine.calibration is not None)
    seen: list[_Seen | None] = [None] * len(plan.looks)
    for start in range(0, len(plan.looks), BATCH):
        batch = plan.looks[start : start + BATCH]
        seen[start : start + BATCH] = engine.map(partial(_look, engine), batch)
        progress("Measuring photos", start + len(batch), len(plan.looks))
    return _report(engine, plan, seen, fmr)


def _plan(pair_list: PairList, paths: Sequence[Path], *, spoilt: bool, genuine_only: bool) -> _Plan:
    """Every photo once, and once more where it is spoilt, too."""
    chosen = np.flatnonzero(pair_list.same) if genuine_only else np.arange(len(pair_list))
    numbers: dict[_Look, int] = {}

    def number(photo: int, *, second: bool) -> int:
        look = _drawn(photo, paths) if second and spoilt else _Look(photo, paths[photo])
        return numbers.setdefault(look, len(numbers))

    a = [number(photo, second=False) for photo in pair_list.a[chosen].tolist()]
    b = [number(photo, second=True) for photo in pair_list.b[chosen].tolist()]
    names = tuple(pair_list.names[look.photo] for look in numbers)
    return _Plan(tuple(numbers), names, np.array(a), np.array(b), pair_list.same[chosen])


def _report(engine: Engine, plan: _Plan, seen: Sequence[_Seen | None], fmr: float) -> QualityReport:
    scores = _similarity(engine, seen, plan)
    if engine.calibration is not None:
        threshold = engine.calibration.threshold(fmr).similarity
    else:
        threshold = threshold_at_fmr(scores[~plan.same], fmr)
    failed = scores[plan.same] < threshold
    a, b = plan.a[plan.same], plan.b[plan.same]
    measures = _measures(seen, with_norm=engine.embedder.name in NORM_MODELS)
    kind = np.array([plan.looks[index].kind for index in b])
    spoilt = sum(look.grade > 0 for look in plan.looks)
    kinds = sorted(set(kind.tolist())) if spoilt else []
    return QualityReport(
        pairs=len(failed),
        images=len(seen),
        undetected=tuple(n for n, one in zip(plan.names, seen, strict=True) if one is None),
        spoilt=spoilt,
        fmr=fmr,
        threshold=float(threshold),
        fnmr=float(failed.mean()),
        curves={
            name: error_versus_discard(np.minimum(values[a], values[b]), failed)
            for name, values in measures.items()
        },
        by_kind={k: (int((kind == k).sum()), float(failed[kind == k].mean())) for k in kinds},
        embedder=engine.embedder.name,
        detector=engine.detector.name,
    )


def _drawn(photo: int, paths: Sequence[Path]) -> _Look:
    """What is done to a photo: one kind in seven is nothing."""
    generator = np.random.default_rng([SEED, photo])
    kind = [UNSPOILT, *KINDS][int(generator.integers(len(KINDS) + 1))]
    grade = 0 if kind == UNSPOILT else int(generator.integers(1, GRADES + 1))
    return _Look(photo, paths[photo], kind, grade)


def _look(engine: Engine, look: _Look) -> _Seen | None:
    """The subject of a photo, or None: a failure to acquire."""
    try:
        photo = engine.photo(look.path)
        found = engine.detect(photo)
        if look.grade and len(found):
            chosen = subject(found.faces, width=found.width, height=found.height)
            image = spoil(photo.pixels(), found[chosen].box, look.kind, look.grade, seed=look.photo)
            photo = engine.photo(image)
            found = engine.detect(photo)
        if not len(found):
            return None
        chosen = subject(found.faces, width=found.width, height=found.height)
        faces = found.faces.take([chosen])
        embedding = engine.embed(photo, faces)
        (attributes,) = engine.analyze_faces(photo, faces, actions=("quality",))
    except ImageError:
        return None
    measured = attributes["quality"]
    assert isinstance(measured, Quality)
    return _Seen(embedding.vector[0], float(embedding.norm[0]), faces[0].score, measured)


def _similarity(engine: Engine, seen: Sequence[_Seen | None], plan: _Plan) -> Floats:
    vectors = np.zeros((len(seen), engine.embedder.contract.dim), np.float32)
    for index, one in enumerate(seen):
        if one is not None:
            vectors[index] = one.vector
    scores = paired_similarity(vectors[plan.a], vectors[plan.b], engine.embedder.metric)
    there = np.array([one is not None for one in seen])
    return np.where(there[plan.a] & there[plan.b], scores, -np.inf).astype(np.float64)


def _measures(seen: Sequence[_Seen | None], *, with_norm: bool) -> dict[str, Floats]:
    """What says a photo's quality, higher is better; NaN where there is no face."""

    def column(of: Callable[[_Seen], float]) -> Floats:
        return np.array([np.nan if one is None else of(one) for one in seen], np.float64)

    found = {"quality": column(lambda one: one.quality.score)}
    if with_norm:
        found["quality+norm"] = column(lambda one: one.with_norm)
    return {**found, "norm": column(lambda one: one.norm)}


def _figures(curve: Discard) -> dict[str, Any]:
    return {
        "fnmr": {f"{share:g}": round(curve.at(share), 6) for share in SHOWN},
        "auc": round(curve.auc, 6),
        "partial_auc": round(curve.partial_auc, 6),
        "gain": round(curve.gain, 4),
        "partial_gain": round(curve.partial_gain, 4),
    }
