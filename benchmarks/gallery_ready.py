"""How soon after its start a process answers from a gallery of a million faces."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

from mien import Gallery
from mien.gallery import GalleryLimits
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings
from report import BUILD, Row

FACES_PER_PERSON = 1_000
WORK = Path(__file__).parent / "work_mien_ready.py"
GALLERIES = BUILD / "galleries"


def use_a_key() -> None:
    """A master key for the galleries of the benchmarks, kept beside them."""
    GALLERIES.mkdir(parents=True, exist_ok=True)
    file = GALLERIES / "master.key"
    if not file.exists():
        file.write_bytes(base64.b64encode(os.urandom(32)))
    os.environ["MIEN_MASTER_KEY"] = file.read_text()


def large_gallery(size: int, dim: int) -> str:
    """URL of a gallery with one group ``people`` of random faces; made once, and kept."""
    use_a_key()
    done, file = GALLERIES / f"{size}-{dim}.done", GALLERIES / f"{size}-{dim}.db"
    url = f"sqlite:///{file}"
    if done.exists():
        return url
    for old in GALLERIES.glob(f"{file.name}*"):
        if old.is_file():
            old.unlink()
    print(f"  enrolling {size:,} faces of {dim} numbers …", file=sys.stderr, flush=True)
    contract = random_contract(dim)
    limits = GalleryLimits(faces_per_group=size, persons_per_group=size)
    with Gallery.open(url, limits=limits) as gallery:
        gallery.create_group("people", contract=contract)
        for start in range(0, size, FACES_PER_PERSON):
            count = min(FACES_PER_PERSON, size - start)
            faces = Embeddings(unit_vectors(count, dim, seed=start), np.full(count, 10, np.float32))
            name = f"p{start:09}"
            gallery.add_faces("people", name, faces, contract=contract, create_person=True)
    done.touch()
    return url


def start(url: str, dim: int) -> tuple[float, dict[str, float]]:
    """Seconds from the start of a process to its first answer, and what it says."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, str(WORK), url, "people", str(dim)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        answered = time.perf_counter() - began
        said |= json.loads(process.stdout.readline())
    return answered, said


def ready(size: int, dim: int, rounds: int) -> list[Row]:
    """Start without a snapshot, which leaves one behind, then with it."""
    url = large_gallery(size, dim)
    folder = Path(f"{url.removeprefix('sqlite:///')}-index")
    for old in folder.glob("*"):
        old.unlink()
    cold, said = start(url, dim)
    snapshot = next(folder.glob("*.index"))
    shape = f"{size:,} x {dim}"
    rows = [
        Row(f"{shape}: start to first answer, from the records", cold, None, "", "s"),
        Row(f"{shape}: closing, which writes the snapshot", said["close_s"], None, "", "s"),
        Row(f"{shape}: snapshot", snapshot.stat().st_size / 1e6, None, "", "MB"),
    ]
    warm = [start(url, dim) for _ in range(rounds)]
    assert all(answer["found"] == said["found"] for _, answer in warm)
    times = [answered for answered, _ in warm]
    spread = f"{min(times):.2f} to {max(times):.2f} in {rounds} starts"
    what = f"{shape}: start to first answer, from the snapshot"
    rows.append(Row(what, median(times), None, spread, "s"))
    for part, name in (
        ("imports, CPU", "import_cpu_s"),
        ("Gallery.open", "open_s"),
        ("first search", "search_s"),
        ("open and search, CPU", "cpu_s"),
    ):
        values = [answer[name] for _, answer in warm]
        spread = f"{min(values):.2f} to {max(values):.2f}"
        rows.append(Row(f"{shape}:   of that {part}", median(values), None, spread, "s"))
    return rows
