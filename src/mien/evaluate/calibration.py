"""``mien eval calibrate``: from photos of known people to a model card's calibration."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.errors import InvalidArgument
from mien.evaluate.breakdown import (
    Part,
    breakdown,
    group_labels,
    interval,
    quality_labels,
    set_labels,
)
from mien.evaluate.calibration_report import CalibrationReport, PointCheck
from mien.evaluate.comparisons import Comparisons, compare_all, halves
from mien.evaluate.fitting import FEWEST_EXCEEDANCES, fit_tail
from mien.evaluate.lists import FaceList, read_faces
from mien.evaluate.open_set import open_set
from mien.evaluate.quality_model import CalibrationOptions, QualityModel, cross_fit
from mien.evaluate.templates import Templates, embed_files
from mien.evaluate.verification import threshold_at_fmr
from mien.match.calibration import Calibration
from mien.models.card import CalibrationFacts, FmrPoint, Tail
from mien.models.progress import Progress, silent

__all__ = ["calibrate", "fit_calibration"]

RATES = (0.5, 0.3, 0.1, 0.03, 0.01, 0.003, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6)


def calibrate(
    engine: Engine,
    faces_csv: str | Path,
    root: str | Path,
    *,
    options: CalibrationOptions | None = None,
    progress: Progress = silent,
) -> CalibrationReport:
    """Fit and measure a calibration of the engine's recognition model.

    Args:
        engine: detects and embeds; the face of each photo's subject counts.
        faces_csv: columns ``path,id`` and optionally ``fold`` (nobody may be in two; folds are
            dealt out to two halves; without it people are, at random), ``set`` (sets have equal
            weight in the fit) and ``group`` (a demographic label, for the breakdown).
        root: the folder that the list's paths are relative to.
        options: see :class:`CalibrationOptions`.
        progress: told how many photos are done.

    Raises:
        InvalidArgument: a list that cannot be used, or too few people for the operating point.
        ImageNotFound: listed images are missing.
        ModelError: a model cannot be had or run.

    Example:
        >>> from mien import Engine                                    # doctest: +SKIP
        >>> calibrate(Engine(), "faces.csv", "photos").facts.points    # doctest: +SKIP
    """
    faces = read_faces(faces_csv)
    options = options or CalibrationOptions()
    half = halves(faces, seed=options.seed)
    _check_size(*_pairs_at_best(faces, half), options)
    templates = embed_files(engine, faces.names, root, progress=progress)
    return fit_calibration(
        faces, templates, half, metric=engine.embedder.metric, model=engine.embedder.name,
        options=options,
    )  # fmt: skip


def fit_calibration(
    faces: FaceList,
    templates: Templates,
    half: NDArray[np.intp],
    *,
    metric: str,
    model: str,
    options: CalibrationOptions,
) -> CalibrationReport:
    """Calibrate from templates; see :func:`calibrate`.

    Args:
        faces: the list.
        templates: of its photos.
        half: ``(n,)`` which half of the people each face belongs to.
        metric: the model's own metric.
        model: the card's name.
        options: see :class:`CalibrationOptions`.
    """
    _, dataset = np.unique(np.asarray(faces.dataset), return_inverse=True)
    options = _with_reference(options, templates, dataset)
    pairs = compare_all(faces, templates, half, metric=metric, seed=options.seed)
    genuine = [int((pairs.same & (pairs.half == h)).sum()) for h in (0, 1)]
    _check_size(int((~pairs.same).sum()), genuine, options)
    fitted = cross_fit(pairs, dataset, options)
    facts = _facts(faces, pairs, fitted, options)
    calibration = Calibration(facts)
    person = np.unique(np.asarray(faces.identity), return_inverse=True)[1]
    plain = pairs.similarity - calibration.threshold(options.default_fmr).similarity
    return CalibrationReport(
        model=model,
        facts=facts,
        penalty=fitted.penalty,
        worst_ratio=fitted.worst_ratio,
        undetected=tuple(faces.names[i] for i in np.flatnonzero(~templates.found)),
        people=len(set(faces.identity)),
        photos=len(faces),
        intervals={
            "fmr": interval(pairs, fitted.logit, person, options, same=False),
            "fnmr": interval(pairs, fitted.logit, person, options, same=True),
        },
        by_quality=breakdown(pairs, fitted.logit, plain, quality_labels(pairs)),
        by_group=breakdown(pairs, fitted.logit, plain, group_labels(pairs, faces)),
        by_set=breakdown(pairs, fitted.logit, plain, set_labels(pairs, faces)),
        checks=_checks(pairs, calibration),
        open_set=open_set(faces, templates, half, calibration, metric=metric, seed=options.seed),
    )


def _with_reference(
    options: CalibrationOptions, templates: Templates, dataset: NDArray[np.intp]
) -> CalibrationOptions:
    """``options`` with a norm reference."""
    if options.norm_reference is not None:
        return options
    quartiles = [
        float(np.nanquantile(norm, 0.25))
        for number in np.unique(dataset)
        if np.isfinite(norm := templates.norm[dataset == number]).any()
    ]
    reference = round(float(np.median(quartiles or [1.0])), 1)
    return dataclasses.replace(options, norm_reference=reference)


def _pairs_at_best(faces: FaceList, half: NDArray[np.intp]) -> tuple[int, list[int]]:
    """Impostor pairs, and genuine ones in each half, if every photo has a face."""
    genuine, total = [], 0
    for h in (0, 1):
        members = [p for p, of in zip(faces.identity, half, strict=True) if of == h]
        genuine.append(sum(math.comb(count, 2) for count in Counter(members).values()))
        total += math.comb(len(members), 2)
    return total - sum(genuine), genuine


def _check_size(impostors: int, genuine: list[int], options: CalibrationOptions) -> None:
    needed = int(np.ceil(FEWEST_EXCEEDANCES / options.default_fmr))
    if impostors < needed or min(genuine) < FEWEST_EXCEEDANCES:
        raise InvalidArgument(
            f"{impostors} impostor and {sum(genuine)} genuine pairs are too few: a calibration at "
            f"FMR {options.default_fmr:g} needs {needed} impostor pairs, and {FEWEST_EXCEEDANCES} "
            "genuine pairs in each half of the people."
        )


def _facts(
    faces: FaceList, pairs: Comparisons, fitted: QualityModel, options: CalibrationOptions
) -> CalibrationFacts:
    impostor = ~pairs.same
    count = int(impostor.sum())
    aware, plain = fitted.logit[impostor], pairs.similarity[impostor]
    points = tuple(
        FmrPoint(
            fmr=rate,
            logit=_exactly_zero(aware, rate, options),
            similarity=round(threshold_at_fmr(plain, rate), 5),
            fnmr=0.0,
        )
        for rate in sorted({*RATES, options.default_fmr}, reverse=True)
        if rate * count >= FEWEST_EXCEEDANCES
    )
    genuine = fitted.logit[pairs.same]
    points = tuple(
        dataclasses.replace(p, fnmr=round(float(np.mean(genuine < p.logit)), 5)) for p in points
    )
    rate = max(options.default_fmr, 4 * FEWEST_EXCEEDANCES / count)
    zero_similarity = threshold_at_fmr(plain, options.default_fmr)
    difference = pairs.similarity - zero_similarity
    return CalibrationFacts(
        weights=_rounded4(fitted.weights),
        plain=_plain_line(points, options),
        norm_reference=fitted.norm_reference,
        norm_clip=fitted.norm_clip,
        default_fmr=options.default_fmr,
        points=points,
        tail=_rounded_tail(fit_tail(aware, rate)),
        plain_tail=_rounded_tail(fit_tail(plain, rate)),
        impostor_pairs=count,
        genuine_pairs=int(pairs.same.sum()),
        fmr_floor=3 / count,
        data=_described(faces),
        fmr_by_group=_rates(breakdown(pairs, fitted.logit, difference, group_labels(pairs, faces))),
        fmr_by_quality=_rates(breakdown(pairs, fitted.logit, difference, quality_labels(pairs))),
    )


def _exactly_zero(impostor: NDArray[np.float64], rate: float, options: CalibrationOptions) -> float:
    """The threshold on the logit; 0 at the default rate, which the model was shifted to."""
    return 0.0 if rate == options.default_fmr else round(threshold_at_fmr(impostor, rate), 5)


def _plain_line(points: tuple[FmrPoint, ...], options: CalibrationOptions) -> tuple[float, float]:
    """Slope and constant of the map for pairs without norms.

    The line through the default operating point that comes nearest to the others from FMR 0.1
    down, so that one threshold on the confidence means one rate with norms and without.
    """
    default = next(point for point in points if point.fmr == options.default_fmr)
    run = np.array([p.similarity - default.similarity for p in points if p.fmr <= 0.1])
    rise = np.array([p.logit for p in points if p.fmr <= 0.1])
    slope = round(float(run @ rise / (run @ run)), 5)
    return slope, round(-slope * default.similarity, 6)


def _checks(pairs: Comparisons, calibration: Calibration) -> tuple[PointCheck, ...]:
    aware = calibration.logit(pairs.similarity, pairs.norm, pairs.norm)
    plain = calibration.logit(pairs.similarity, np.nan, np.nan)
    halves_ = [~pairs.same & (pairs.half == half) for half in (0, 1)]
    return tuple(
        PointCheck(
            point.fmr,
            *(
                round(float(np.mean(logit[half] >= point.logit)), 7)
                for logit in (aware, plain)
                for half in halves_
            ),
        )
        for point in calibration.facts.points
    )


def _described(faces: FaceList) -> str:
    """Sets, people and photos in words."""
    sets = sorted(set(faces.dataset))
    words = []
    for name in sets:
        people = [p for p, s in zip(faces.identity, faces.dataset, strict=True) if s == name]
        label = f"{name}: " if name else ""
        words.append(f"{label}{len(set(people))} people, {len(people)} photos")
    return "; ".join(words)


def _rates(parts: tuple[Part, ...]) -> dict[str, float]:
    return {part.name: part.fmr for part in parts if part.fmr is not None}


def _rounded4(weights: NDArray[np.float64]) -> tuple[float, float, float, float]:
    first, second, third, fourth = (round(float(w), 5) for w in weights)
    return first, second, third, fourth


def _rounded_tail(tail: Tail) -> Tail:
    return Tail(*(round(value, 7) for value in dataclasses.astuple(tail)))
