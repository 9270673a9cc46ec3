"""Kill -9 of a server in the middle of a job: the next one completes it, nothing twice."""

from __future__ import annotations

import io
import os
import random
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import httpx
import pytest
from PIL import Image

from mien.testing import drawn_face

ENTRY = Path(__file__).parent / "serving_entry.py"
PHOTOS, KILLS = 60, 3


def archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for i in range(PHOTOS):
            photo = io.BytesIO()
            Image.fromarray(drawn_face(i % 4, (120, 160 + i))).save(photo, "PNG")
            packed.writestr(f"person {i % 4}/{i:02}.png", photo.getvalue())
    return out.getvalue()


@pytest.fixture(params=["sqlite", "postgresql"])
def gallery_url(request, tmp_path):
    """A gallery in every kind of database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'gallery.db'}"
        return
    with request.getfixturevalue("postgres_server").database() as url:
        yield url


def serve(folder, url):
    process = subprocess.Popen(
        [sys.executable, str(ENTRY), str(folder), "0", "0.2"],
        env={**os.environ, "MIEN_GALLERY": url},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    text = ""
    while "Mien is at" not in text:
        line = process.stderr.readline()
        assert line, text
        text += line
    return process, text


def client(text, key):
    address = re.search(r"http://\S+", text).group(0)
    return httpx.Client(base_url=address, timeout=60, headers={"Authorization": f"Bearer {key}"})


@pytest.mark.slow
def test_a_job_survives_kills_of_its_server(tmp_path, gallery_url):
    chance = random.Random(4)
    process, text = serve(tmp_path, gallery_url)
    key = re.search(r"API key[^:]*: (\S+)", text).group(1)
    with client(text, key) as api:
        assert api.post("/v1/groups", json={"name": "staff"}).status_code == 201
        job_id = api.post(
            "/v1/groups/staff/jobs/enroll", files={"archive": ("a.zip", archive())}
        ).json()["id"]
    seen = []
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.5, 2.0))
        with client(text, key) as api:
            until = time.monotonic() + 60  # the lease of the killed one ends
            before = seen[-1] if seen else 0
            while api.get("/v1/groups/staff").json()["faces"] <= before:
                assert time.monotonic() < until
                time.sleep(0.2)
            seen.append(api.get("/v1/groups/staff").json()["faces"])
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process.stderr.close()
        process, text = serve(tmp_path, gallery_url)
    try:
        with client(text, key) as api:
            until = time.monotonic() + 90
            while (job := api.get(f"/v1/jobs/{job_id}").json())["state"] != "done":
                assert time.monotonic() < until, job
                time.sleep(0.2)
            assert (job["enrolled"], job["rejected"]) == (PHOTOS, 0)
            assert api.get("/v1/groups/staff").json()["faces"] == PHOTOS
            items = api.get(f"/v1/jobs/{job_id}/items?limit=500").json()["items"]
            assert [item["number"] for item in items] == list(range(PHOTOS))
            assert len({item["face_id"] for item in items}) == PHOTOS
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stderr.close()
    assert seen[0] < PHOTOS
    assert list((tmp_path / "spool").iterdir()) == []
