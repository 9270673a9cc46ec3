"""What every benchmark shares: rows of ratios, a table, and build/bench/NAME.json."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build"


@dataclass(frozen=True)
class Row:
    """One measured thing. ``ratio`` is mien / baseline, both measured in turn in one run."""

    what: str
    mien: float
    baseline: float | None
    baseline_name: str
    unit: str = "CPU ms"

    @property
    def ratio(self) -> float | None:
        """Mien / baseline; None where there is no baseline, or it is 0."""
        return self.mien / self.baseline if self.baseline else None


def publish(
    name: str,
    rows: list[Row],
    *,
    more: Mapping[str, object] | None = None,
    folder: Path = BUILD / "bench",
) -> None:
    """Print the rows as a table; write them, and ``more``, to ``NAME.json`` in ``folder``."""
    print(f"\n{name}")
    for row in rows:
        against = ""
        if row.baseline is not None:
            times = "" if not row.ratio else f"{row.ratio:.2f} x"
            if row.ratio and row.ratio < 1:
                times = f"1/{1 / row.ratio:.1f}"
            against = f"{row.baseline:10.3f}  {row.baseline_name:<44} {times}"
        elif row.baseline_name:
            against = f"{'':10}  {row.baseline_name}"
        print(f"  {row.what:<58} {row.mien:10.3f} {row.unit:<7} {against}".rstrip())
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "commit": _commit(),
        "machine": _machine(),
        "rows": [{**asdict(row), "ratio": row.ratio} for row in rows],
        **(more or {}),
    }
    (folder / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")


def _commit() -> str:
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=REPOSITORY
    )
    return git.stdout.strip()


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    model = platform.processor() or platform.machine()
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next(
            (li.split(":")[1].strip() for li in lines if li.startswith("model name")), model
        )
    return f"{model}, Python {platform.python_version()}, {platform.system()}"
