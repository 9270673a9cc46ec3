"""The threat model names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = [
    line
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith(("| threat", "|---"))
]


def test_every_threat_names_a_test_that_exists():
    assert len(ROWS) > 25
    missing = []
    for row in ROWS:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 3, row
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", cells[2])
        assert named, f"no test: {row}"
        assert re.fullmatch(r"(?:`[^`]+`(?:, )?)+", cells[2]), row
        for file, test in named:
            path = ROOT / file
            if not path.is_file() or not re.search(rf"^def {test}\(", path.read_text(), re.M):
                missing.append(f"{file}::{test}")
    assert not missing
