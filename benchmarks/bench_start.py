"""Start-up: import time and the cost of the first answer, each in a fresh process."""

from __future__ import annotations

import statistics
import subprocess
import sys

from mien import config
from mien.models import ModelStore
from mien.models.samples import sample_photos
from report import Row, publish

CLOCK = "import time; t = time.process_time(); {}; print((time.process_time() - t) * 1e3)"


def cpu_ms(code: str, rounds: int = 7) -> float:
    """Median CPU milliseconds of ``code`` in fresh processes."""
    runs = [
        float(
            subprocess.run(
                [sys.executable, "-c", CLOCK.format(code)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()[-1]
        )
        for _ in range(rounds)
    ]
    return statistics.median(runs)


def main() -> None:
    """Measure and print."""
    photo = str(sample_photos(ModelStore(config.load()))["Barack Obama"][0])
    rows = [
        Row("import mien", cpu_ms("import mien"), cpu_ms("import numpy"), "import numpy"),
        Row(
            "first compare, fresh process, models cached",
            cpu_ms(f"import mien; mien.compare({photo!r}, {photo!r})"),
            None,
            "",
        ),
    ]
    publish("start", rows)


if __name__ == "__main__":
    main()
