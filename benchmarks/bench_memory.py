"""Memory of a process that uses every model that comes from an archive, one after the other.

    make bench-memory
    make bench-memory ARGS="photo.jpg"

Without a photo: one of the sample photos, 1434 x 2333 pixels. Three processes: under the budget of
the settings (``model_memory_mb``), without one, and with ``engine.release()`` after each model.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from mien import config
from mien.models import ModelStore
from mien.models.samples import sample_photos
from report import Row, publish

HERE = Path(__file__).resolve().parent
SAMPLE = "obama3.jpg"


def run(photo: Path, *arguments: str, budget_mb: int | None = None) -> dict[str, object]:
    """What the process said."""
    command = [sys.executable, "-W", "ignore", str(HERE / "work_every_model.py"), str(photo)]
    budget = {} if budget_mb is None else {"MIEN_MODEL_MEMORY_MB": str(budget_mb)}
    done = subprocess.run(
        [*command, *arguments],
        env={**os.environ, **budget},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def sample() -> Path:
    """The sample photo."""
    people = sample_photos(ModelStore(config.load())).values()
    return next(photo for photos in people for photo in photos if photo.name == SAMPLE)


def main() -> None:
    """Measure and print."""
    photo = Path(sys.argv[1]) if len(sys.argv) > 1 else sample()
    budget = config.load().model_memory_mb
    ways = {
        f"peak memory, budget {budget} MB": run(photo),
        "peak memory, no budget": run(photo, budget_mb=0),
        "peak memory, released after each model": run(photo, "--release"),
    }
    first = next(iter(ways.values()))
    for told in (*first["without"], *(f"{key} was not used" for key in first["never_opened"])):
        print(f"  {told}")
    publish("memory", [Row(what, said["peak_mb"], None, "", "MB") for what, said in ways.items()])


if __name__ == "__main__":
    main()
