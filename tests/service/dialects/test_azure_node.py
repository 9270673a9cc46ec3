"""The official JavaScript clients, unmodified: npm installs them into a temporary folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPTS = Path(__file__).parent / "node"
INSTALL = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")


@pytest.fixture(scope="module")
def node_folder(tmp_path_factory):
    """A folder with both clients and the scripts."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    for file in SCRIPTS.iterdir():
        shutil.copy(file, folder)
    done = subprocess.run(INSTALL, cwd=folder, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip("npm cannot install the clients: no network?")
    return folder


@pytest.mark.parametrize(
    ("script", "code"),
    [("rest.mjs", "LargePersonGroupNotFound"), ("legacy.cjs", "PersonGroupNotFound")],
    ids=["azure-rest", "cognitiveservices"],
)
def test_the_gym_in_javascript(node_folder, engine, people, start_service, tmp_path, script, code):
    photos = {
        "members": {name: str(people[name][0]) for name in ("Barack Obama", "Joe Biden")},
        "member": str(people["Barack Obama"][1]),
        "stranger": str(people["Eileen Collins"][0]),
    }
    file = tmp_path / "photos.json"
    file.write_text(json.dumps(photos))
    with start_service(tmp_path, engine=engine) as (_, endpoint, key):
        done = subprocess.run(
            ["node", script, endpoint, key, str(file)],
            cwd=node_folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("session", "NotStarted") == "NotStarted"
    assert told == {
        "trained": "succeeded",
        "member": ["Barack Obama"],
        "stranger": [],
        "refused": code,
    }
