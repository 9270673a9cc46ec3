"""docs/models.md is what the cards say, and a user's own figures make a page of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "benchmarks" / "models_page.py"


def models_page(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True
    )


def test_the_page_is_up_to_date():
    done = models_page("--check")
    assert done.returncode == 0, done.stderr


def test_another_page_is_not(tmp_path):
    stale = tmp_path / "models.md"
    stale.write_text((ROOT / "docs" / "models.md").read_text().replace("`yunet`", "`yunet2`"))
    done = models_page("--check", "--to", stale)
    assert done.returncode == 1
    assert "make docs-models" in done.stderr


def test_own_figures(tmp_path):
    measured = {
        "on": "our door",
        "protocol": "detection",
        "how": "mien eval detection --truth door.json --detector yunet, two threads",
        "threads": 2,
        "figures": {"recall": 0.75, "cpu_ms": 12.34},
    }
    report = tmp_path / "models.json"
    report.write_text(json.dumps({"measured": {"detect/yunet": [measured]}}))
    page = tmp_path / "page.md"
    done = models_page("--figures", report, "--to", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "### our door: found and false" in text
    assert "| `yunet` (default) | 0.7500 | 12.3 | 2 |" in text
    assert "By `mien eval detection --truth door.json --detector NAME`, two threads." in text
    assert "LFW folds 1-2" not in text  # the project's own figures are left out


def test_own_figures_do_not_overwrite_the_projects(tmp_path):
    (tmp_path / "models.json").write_text('{"measured": {}}')
    done = models_page("--figures", tmp_path / "models.json")
    assert done.returncode == 2
    assert "name another file" in done.stderr
