"""Memory of a process that uses every model of the shelf, read from the process itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WORK = Path(__file__).parents[2] / "benchmarks" / "work_every_model.py"
LIMIT_MB = 1500

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc"),
]


def use_every_model(photo: Path, *arguments: str, budget_mb: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(WORK), str(photo), *arguments],
        env={**os.environ, "MIEN_MODEL_MEMORY_MB": budget_mb, "MIEN_THREADS": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["never_opened"] == []
    assert [one.split(":")[0] for one in answer["without"]] in ([], ["detect/dlib"])  # an extra
    return answer


@pytest.fixture(scope="module")
def photo(people):
    """The largest of the sample photos: 1434 x 2333 pixels."""
    return next(p for photos in people.values() for p in photos if p.name == "obama3.jpg")


def test_all_models_in_turn_stay_under_the_limit(photo):
    said = use_every_model(photo, budget_mb="800")
    assert len(said["steps"]) >= 25
    assert said["peak_mb"] < LIMIT_MB


def test_released_models_give_their_memory_back(photo):
    """Without a budget the same models are above the limit; released after each, far below."""
    kept = use_every_model(photo, budget_mb="0")
    released = use_every_model(photo, "--release", budget_mb="0")
    assert kept["peak_mb"] > LIMIT_MB
    assert released["peak_mb"] < 0.6 * LIMIT_MB  # the highest is fusion, three nets at once
    assert released["end_mb"] < kept["end_mb"] / 3
