"""The identification protocol: who of a gallery is it, and does a stranger stay one?

Terms and rates of NIST's FRTE 1:N (NISTIR 8271) and ISO/IEC 19795-1: closed-set rank by the
cumulative match characteristic, open-set detection-and-identification rate (DIR = 1 - FNIR) at a
false-positive identification rate (FPIR). Enrolment and search go through the same gallery and
the same decisions that serve users.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.answers import FaceMatches, Identification
from mien.engine import Engine, EnrolmentPhoto
from mien.engine.living import LivenessCheck
from mien.engine.recognition import Search, identify
from mien.errors import ImageError, InvalidArgument
from mien.evaluate.lists import at_line, check_files, read_rows
from mien.evaluate.open_rates import Interval, Searched, dir_at, intervals
from mien.evaluate.templates import subject_box
from mien.gallery import Gallery
from mien.match.decision import DEFAULT_FPIR, Decision, for_identification
from mien.models.progress import Progress, silent
from mien.types import Result

__all__ = ["RANKS", "ROLES", "IdentificationReport", "identification"]

ROLES = ("enrol", "enrol_distractor", "probe_known", "probe_unknown")
RANKS = (1, 2, 5, 10)
FPIRS = {"fpir_1e-2": 1e-2, "fpir_1e-3": 1e-3}
GROUP = "evaluation"

Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class IdentificationReport(Result):
    """A list's photos enrolled and searched.

    Attributes:
        enrolled: faces in the gallery; persons: whose; distractors: persons nobody is probed for.
        rejected: photos that could not be enrolled. Their persons' probes count as missed.
        probes_known, probes_unknown: probes of enrolled people and of strangers.
        undetected: probes without a face: a known one counts as missed, a stranger as not named.
        cmc: rank -> part of the known probes whose person is among so many first candidates.
        dir: name -> part of the known probes whose person comes first with a score that passes
            the threshold of that FPIR; None where 3 / strangers is above it, so that the list
            cannot support it.
        fpir: strangers named at the default threshold that users get (1e-2 asked for).
        dir_default: DIR at that threshold.
        intervals: name -> 95 % bootstrap interval over people.
        ms_per_probe_cpu: process CPU time of a probe, from the file to the answer, milliseconds.
    """

    enrolled: int
    persons: int
    distractors: int
    rejected: tuple[str, ...]
    probes_known: int
    probes_unknown: int
    undetected: tuple[str, ...]
    cmc: dict[int, float]
    dir: dict[str, float | None]
    fpir: float | None
    dir_default: float | None
    intervals: dict[str, Interval]
    ms_per_probe_cpu: float
    embedder: str
    detector: str

    @property
    def rank1(self) -> float:
        """Part of the known probes whose person comes first."""
        return self.cmc[1]

    def __str__(self) -> str:
        return (
            f"{self.enrolled} faces of {self.persons} persons enrolled, {self.probes_known} known "
            f"and {self.probes_unknown} unknown probes: rank 1 {self.rank1:.4f}"
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields by name; photos as counts, rates to six digits."""
        return {
            "enrolled": self.enrolled,
            "persons": self.persons,
            "distractors": self.distractors,
            "rejected": len(self.rejected),
            "probes_known": self.probes_known,
            "probes_unknown": self.probes_unknown,
            "undetected": len(self.undetected),
            "rank1": _rounded(self.rank1),
            "cmc": {str(rank): _rounded(rate) for rank, rate in self.cmc.items()},
            "dir": {name: _rounded(rate) for name, rate in self.dir.items()},
            "fpir": _rounded(self.fpir),
            "dir_default": _rounded(self.dir_default),
            "intervals": {
                name: [_rounded(one.low), _rounded(one.high)]
                for name, one in self.intervals.items()
            },
            "ms_per_probe_cpu": round(self.ms_per_probe_cpu, 3),
            "embedder": self.embedder,
            "detector": self.detector,
        }


def identification(
    engine: Engine,
    list_csv: str | Path,
    root: str | Path,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> IdentificationReport:
    """Enrol and search the photos of a list.

    Args:
        engine: what enrols and searches.
        list_csv: columns ``path,id,role``; roles ``enrol``, ``enrol_distractor``,
            ``probe_known``, ``probe_unknown``.
        root: folder that its paths are relative to.
        seed: of the bootstrap.
        progress: told how far it is.

    Raises:
        InvalidArgument: a list that cannot be used.
        ImageNotFound: files are missing.
        ModelError: a model cannot be had or run.
    """
    rows = _read(list_csv)
    paths = dict(
        zip((r["path"] for r in rows), check_files([r["path"] for r in rows], root), strict=True)
    )
    engine.load()
    with (
        tempfile.TemporaryDirectory(prefix="mien-eval-") as folder,
        Gallery.open(f"sqlite:///{folder}/gallery.db") as gallery,
    ):
        rejected = _enrol(engine, gallery, _with_role(rows, "enrol"), paths, progress)
        held = gallery.group(GROUP)
        probes = _with_role(rows, "probe")
        started = time.process_time()
        searched = _search(engine, gallery, probes, paths, progress)
        spent = time.process_time() - started
        decision = _default_decision(engine, held.faces)
    known = [one for one in searched if one.known]
    unknown = [one for one in searched if not one.known]
    rates = {name: dir_at(known, unknown, fpir) for name, fpir in FPIRS.items()}
    passes = None if decision is None else decision.threshold
    return IdentificationReport(
        enrolled=held.faces,
        persons=held.persons,
        distractors=len({r["id"] for r in rows if r["role"] == "enrol_distractor"}),
        rejected=tuple(rejected),
        probes_known=len(known),
        probes_unknown=len(unknown),
        undetected=tuple(one.name for one in searched if not one.detected),
        cmc={rank: float(np.mean([one.rank <= rank for one in known])) for rank in RANKS},
        dir=rates,
        fpir=None
        if passes is None or not unknown
        else float(np.mean([one.top >= passes for one in unknown])),
        dir_default=None
        if passes is None
        else float(np.mean([one.rank == 1 and one.top >= passes for one in known])),
        intervals=intervals(known, unknown, FPIRS, passes, seed=seed),
        ms_per_probe_cpu=1000 * spent / len(searched),
        embedder=engine.embedder.name,
        detector=engine.detector.name,
    )


def _read(list_csv: str | Path) -> Rows:
    """The list, checked: who is enrolled is probed as known, and nobody else."""
    rows: Rows = []
    seen: set[str] = set()
    for line, row in read_rows(list_csv, ("path", "id", "role")):
        if row["role"] not in ROLES:
            raise at_line(list_csv, line, f"role must be one of {', '.join(ROLES)}")
        if row["path"] in seen:
            raise at_line(list_csv, line, f"{row['path']} is listed twice")
        seen.add(row["path"])
        rows.append(row)
    name = Path(list_csv).name
    people = {role: {r["id"] for r in rows if r["role"] == role} for role in ROLES}
    enrolled = people["enrol"] | people["enrol_distractor"]
    if not people["enrol"] or not people["probe_known"]:
        raise InvalidArgument(f"{name} needs the roles enrol and probe_known.")
    if missing := sorted(people["probe_known"] - people["enrol"]):
        raise InvalidArgument(f"{name} probes {missing[0]} as known, who has no role enrol.")
    if wrong := sorted(people["probe_unknown"] & enrolled):
        raise InvalidArgument(f"{name} probes {wrong[0]} as unknown, who is enrolled.")
    return rows


def _with_role(rows: Rows, start: str) -> Rows:
    return [row for row in rows if row["role"].startswith(start)]


def _enrol(
    engine: Engine, gallery: Gallery, rows: Rows, paths: dict[str, Path], progress: Progress
) -> list[str]:
    """Enrol as a user would; the photos that were rejected."""
    photos = [EnrolmentPhoto(row["id"], paths[row["path"]], row["path"]) for row in rows]
    rejected = []
    for done, outcome in enumerate(engine.enroll_each(gallery, GROUP, photos), 1):
        if outcome.rejection is not None:
            rejected.append(outcome.photo.name)
        progress("Enrolling photos", done, len(photos))
    if len(rejected) == len(photos):
        raise InvalidArgument("None of the list's photos could be enrolled.")
    return rejected


def _search(
    engine: Engine, gallery: Gallery, rows: Rows, paths: dict[str, Path], progress: Progress
) -> list[Searched]:
    decision = Decision("confidence", -np.inf, None, extrapolated=False)
    everybody = Search(max(RANKS), decision, 1, LivenessCheck("off"))

    def one(row: dict[str, str]) -> Searched:
        known = row["role"] == "probe_known"
        try:
            found = identify(
                engine,
                gallery,
                GROUP,
                paths[row["path"]],
                options=everybody,
            )
        except ImageError:
            found = None
        if found is None or not found.faces:
            return Searched(row["path"], row["id"], known, False, _NEVER, -np.inf)
        candidates = _subject(found).candidates
        names = [candidate.person for candidate in candidates]
        rank = names.index(row["id"]) + 1 if row["id"] in names else _NEVER
        score = -np.inf
        if candidates:
            first = candidates[0]
            score = first.similarity if first.confidence is None else first.confidence
        return Searched(row["path"], row["id"], known, True, rank, score)

    searched: list[Searched] = []
    for start in range(0, len(rows), _BATCH):
        searched += engine.map(one, rows[start : start + _BATCH])
        progress("Searching photos", len(searched), len(rows))
    return searched


_NEVER = 2**31
_BATCH = 16


def _subject(found: Identification) -> FaceMatches:
    """The face that the photo is about."""
    boxes: NDArray[np.float64] = np.array([matches.face.box.to_list() for matches in found.faces])
    faces: Sequence[FaceMatches] = found.faces
    return faces[subject_box(boxes, width=found.width, height=found.height)]


def _default_decision(engine: Engine, size: int) -> Decision | None:
    """What users get without saying anything; None where there is no calibration."""
    if engine.calibration is None:
        return None
    return for_identification(engine.calibration, gallery_size=size, fpir=DEFAULT_FPIR)


def _rounded(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 6)
