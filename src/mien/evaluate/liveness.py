"""The liveness protocol: which attacks are taken for live, and which live faces for attacks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mien.engine import Engine, LivenessCheck, living
from mien.errors import ImageError, InvalidArgument
from mien.evaluate.attack_rates import Scores, bpcer_at_apcer, classification_rates
from mien.evaluate.impostor_attacks import ImpostorAttacks, Presentation, impostor_attacks
from mien.evaluate.lists import at_line, check_files, read_rows
from mien.evaluate.templates import BATCH, subject
from mien.liveness import CONDITIONS
from mien.models.progress import Progress, silent
from mien.types import Result
from mien.verdict import LivenessVerdict

__all__ = ["UNNAMED", "Attacks", "LivenessList", "LivenessReport", "liveness", "read_liveness"]

UNNAMED = "unnamed"
"""The species of attacks that the list has no name for."""

Answers = Sequence[LivenessVerdict | None]


@dataclass(frozen=True, slots=True, eq=False)
class LivenessList:
    """Presentations.

    Attributes:
        names: photos, as the list spells them.
        live: bona fide, or an attack.
        attack: the attack's species; ``""`` for bona fide ones.
        clip, subject: labels; ``""`` where the list has none.
        enrolled: photos and subjects that are enrolled with them: no presentations.
    """

    names: tuple[str, ...]
    live: tuple[bool, ...]
    attack: tuple[str, ...]
    clip: tuple[str, ...]
    subject: tuple[str, ...]
    enrolled: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, slots=True)
class Attacks:
    """One species of attack.

    Attributes:
        name: of the species.
        n: attacks.
        no_response: those without an answer.
        apcer: attacks taken for live, of those answered; None where none was.
    """

    name: str
    n: int
    no_response: int
    apcer: float | None


@dataclass(frozen=True, slots=True, eq=False)
class LivenessReport(Result):
    """What ``mien eval liveness`` answers. Terms: :mod:`mien.evaluate.attack_rates`.

    Attributes:
        n, bona_fide: presentations, and how many of them are bona fide.
        no_face: without a face, or that cannot be decoded.
        undetermined: with a face, and too little around it.
        condition, threshold: what decided.
        rates: ``apcer``, ``bpcer``, ``acer``, ``eer``, ``auc``, ``bpcer_at_apcer_5`` and
            ``_10``, ``bpnrr``, ``apnrr``; None where there is nothing to count.
        by_condition: ``apcer`` and ``bpcer`` of each condition.
        by_attack: worst first.
        groups: for ``clip`` and ``subject``, where the list has them: how many, the share of
            those of which no photo was answered, and ``apcer`` and ``bpcer`` of the others, each
            judged once by the mean of its answered photos.
        whole: who would get in, where the list says who is enrolled; else None.
        scores: of the answered ones, bona fide first; for the report's curves.
        ms_per_image_cpu: process CPU milliseconds of reading, detecting and judging a photo.
    """

    n: int
    bona_fide: int
    no_face: int
    undetermined: int
    condition: str
    threshold: float
    rates: Mapping[str, float | None]
    by_condition: Mapping[str, Mapping[str, float | None]]
    by_attack: tuple[Attacks, ...]
    groups: Mapping[str, Mapping[str, float | int | None]]
    whole: ImpostorAttacks | None
    ms_per_image_cpu: float
    detector: str
    scores: tuple[Scores, Mapping[str, Scores]] = field(repr=False)

    def __str__(self) -> str:
        rates = ((name, self.rates[name]) for name in ("apcer", "bpcer", "acer"))
        told = ", ".join(f"{k.upper()} {'-' if v is None else f'{v:.4f}'}" for k, v in rates)
        return f"{self.n} presentations at {self.condition}: {told}"

    def to_dict(self) -> dict[str, Any]:
        """The document of ``mien eval liveness --json``."""
        return {
            "n": self.n,
            "bona_fide": self.bona_fide,
            "no_face": self.no_face,
            "undetermined": self.undetermined,
            "condition": self.condition,
            "threshold": self.threshold,
            **_rounded(self.rates),
            "by_condition": {name: _rounded(rates) for name, rates in self.by_condition.items()},
            "by_attack": {
                one.name: _rounded({"n": one.n, "no_response": one.no_response, "apcer": one.apcer})
                for one in self.by_attack
            },
            **{f"by_{name}": _rounded(facts) for name, facts in self.groups.items()},
            "whole_system": None if self.whole is None else self.whole.to_dict(),
            "ms_per_image_cpu": round(self.ms_per_image_cpu, 3),
            "detector": self.detector,
        }


def liveness(
    engine: Engine, list_csv: str | Path, root: str | Path, *, progress: Progress = silent
) -> LivenessReport:
    """Judge the subject's face of every listed photo, under the settings' condition.

    Args:
        engine: detects and judges.
        list_csv: columns ``path,live`` and optionally ``attack,clip,subject,enrolled``.
        root: the folder that the list's paths are relative to.
        progress: told how many photos are done.

    Raises:
        InvalidArgument: a list that cannot be used.
        ImageNotFound: listed images are missing.
        ModelError: a model cannot be had or run.

    Example:
        >>> from mien import Engine                                            # doctest: +SKIP
        >>> liveness(Engine(), "list.csv", "photos").rates["apcer"]            # doctest: +SKIP
    """
    listed = read_liveness(list_csv)
    paths = check_files(listed.names, root)
    _ = engine.detector, engine.liveness
    found: list[LivenessVerdict | None] = []
    started = time.process_time()
    for start in range(0, len(paths), BATCH):
        found += engine.map(partial(_judged, engine), paths[start : start + BATCH])
        progress("Judging photos", len(found), len(paths))
    spent = time.process_time() - started
    whole = _whole(engine, listed, found, root, progress) if listed.enrolled else None
    return _report(engine, listed, found, spent, whole)


def read_liveness(file: str | Path) -> LivenessList:
    """Read a CSV: ``path,live`` (0 or 1), optionally ``attack,clip,subject,enrolled`` (0 or 1).

    Raises:
        InvalidArgument: no such file, a missing column, ``live`` or ``enrolled`` neither 0 nor 1,
            an attack's name where ``live`` is 1, an enrolled photo that is an attack or has no
            subject, a photo listed twice, or no presentation at all.
    """
    rows = read_rows(file, ("path", "live"))
    seen: set[str] = set()
    for line, row in rows:
        if (row.get("enrolled") or "0") not in ("0", "1"):
            raise at_line(file, line, f"enrolled must be 0 or 1, not {row['enrolled']!r}")
        if row.get("enrolled") == "1" and not (row["live"] == "1" and row.get("subject")):
            raise at_line(file, line, "an enrolled photo is live and has a subject")
        if row["live"] not in ("0", "1"):
            raise at_line(file, line, f"live must be 0 or 1, not {row['live']!r}")
        if row["live"] == "1" and row.get("attack"):
            raise at_line(file, line, "a live face is no attack: leave the column attack empty")
        if row["path"] in seen:
            raise at_line(file, line, f"{row['path']} is listed twice")
        seen.add(row["path"])
    enrolled = tuple((row["subject"], row["path"]) for _, row in rows if row.get("enrolled") == "1")
    rows = [(line, row) for line, row in rows if row.get("enrolled") != "1"]
    if not rows:
        raise InvalidArgument(f"{Path(file).name}: every photo is enrolled, and none is judged.")
    live = tuple(row["live"] == "1" for _, row in rows)
    return LivenessList(
        names=tuple(row["path"] for _, row in rows),
        live=live,
        attack=tuple(
            "" if alive else row.get("attack") or UNNAMED
            for alive, (_, row) in zip(live, rows, strict=True)
        ),
        clip=tuple(row.get("clip") or "" for _, row in rows),
        subject=tuple(row.get("subject") or "" for _, row in rows),
        enrolled=enrolled,
    )


def _judged(engine: Engine, path: Path) -> LivenessVerdict | None:
    """The verdict on the subject's face, or None: there is none."""
    try:
        photo = engine.photo(path)
        found = engine.detect(photo, liveness="off")
        if not len(found):
            return None
        chosen = subject(found.faces, width=found.width, height=found.height)
        check = LivenessCheck("observe", engine.settings.liveness_condition)
        return living.verdicts(engine, photo, [found[chosen]], check)[0]
    except (ImageError, InvalidArgument):
        return None


def _whole(
    engine: Engine, listed: LivenessList, found: Answers, root: str | Path, progress: Progress
) -> ImpostorAttacks:
    told = zip(listed.names, listed.subject, listed.attack, found, strict=True)
    presentations = [
        Presentation(name, subject, attack, one is not None and one.live)
        for name, subject, attack, one in told
    ]
    return impostor_attacks(engine, presentations, listed.enrolled, root, progress=progress)


def _report(
    engine: Engine,
    listed: LivenessList,
    found: Answers,
    spent_s: float,
    whole: ImpostorAttacks | None,
) -> LivenessReport:
    answered = [one is not None and one.verdict != "undetermined" for one in found]
    species = sorted({name for name in listed.attack if name})
    bona_fide = _scores(found, [a and live for a, live in zip(answered, listed.live, strict=True)])
    attacks = {
        name: _scores(
            found, [a and name == n for a, n in zip(answered, listed.attack, strict=True)]
        )
        for name in species
    }
    condition, thresholds = engine.settings.liveness_condition, engine.liveness.thresholds
    rates = classification_rates(bona_fide, attacks, thresholds[condition])
    for percent in (5, 10):
        rates[f"bpcer_at_apcer_{percent}"] = bpcer_at_apcer(bona_fide, attacks, percent / 100)
    silent_ones = ~np.array(answered, bool)
    live = np.array(listed.live, bool)
    rates["bpnrr"] = float(silent_ones[live].mean()) if live.any() else None
    rates["apnrr"] = float(silent_ones[~live].mean()) if not live.all() else None
    return LivenessReport(
        n=len(listed),
        bona_fide=int(live.sum()),
        no_face=sum(one is None for one in found),
        undetermined=sum(one is not None and one.verdict == "undetermined" for one in found),
        condition=condition,
        threshold=thresholds[condition],
        rates=rates,
        by_condition={
            name: _some(classification_rates(bona_fide, attacks, thresholds[name]))
            for name in CONDITIONS
        },
        by_attack=_by_attack(listed, attacks, thresholds[condition]),
        groups=_groups(listed, found, answered, thresholds[condition]),
        whole=whole,
        ms_per_image_cpu=1000 * spent_s / len(listed),
        detector=engine.detector.name,
        scores=(bona_fide, attacks),
    )


def _scores(found: Answers, chosen: Sequence[bool]) -> Scores:
    pairs = zip(found, chosen, strict=True)
    return np.array([one.score for one, take in pairs if take and one is not None], np.float64)


def _some(rates: Mapping[str, float | None]) -> dict[str, float | None]:
    return {name: rates[name] for name in ("apcer", "bpcer")}


def _by_attack(
    listed: LivenessList, attacks: Mapping[str, Scores], threshold: float
) -> tuple[Attacks, ...]:
    """The species, the worst first; those without an answer last."""
    found = [
        Attacks(
            name,
            n := listed.attack.count(name),
            n - len(scores),
            float(np.mean(scores >= threshold)) if len(scores) else None,
        )
        for name, scores in attacks.items()
    ]
    return tuple(sorted(found, key=lambda one: -1.0 if one.apcer is None else one.apcer)[::-1])


def _groups(
    listed: LivenessList, found: Answers, answered: Sequence[bool], threshold: float
) -> dict[str, Mapping[str, float | int | None]]:
    """Rates where each clip, or all that one subject presented of a species, is judged once."""
    rates: dict[str, Mapping[str, float | int | None]] = {}
    for name, labels in (("clip", listed.clip), ("subject", listed.subject)):
        units: dict[tuple[str, str], list[float]] = {}
        for label, species, one, told in zip(labels, listed.attack, found, answered, strict=True):
            scores = units.setdefault((label, species), []) if label else []
            if told and one is not None:
                scores.append(one.score)
        if not units:
            continue
        silent_ones = sum(not scores for scores in units.values())
        means = {
            species: np.array(
                [np.mean(v) for (_, kind), v in units.items() if kind == species and v], np.float64
            )
            for species in {kind for _, kind in units}
        }
        bona_fide = means.pop("", np.zeros(0))
        rates[name] = {
            "n": len(units),
            "no_response": silent_ones / len(units),
            **_some(classification_rates(bona_fide, means, threshold)),
        }
    return rates


def _rounded(rates: Mapping[str, float | int | None]) -> dict[str, float | int | None]:
    return {k: round(v, 6) if isinstance(v, float) else v for k, v in rates.items()}
