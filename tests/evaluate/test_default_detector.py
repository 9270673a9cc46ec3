"""The default detector finds every face of CompreFace's photos, as its card says."""

from __future__ import annotations

import json

import pytest

from mien import Engine
from mien.config import Settings
from mien.evaluate import detection


@pytest.mark.shared
def test_recall_on_the_compreface_photos(shared_data, models, tmp_path):
    entries = json.loads((shared_data / "detection_gt.json").read_text(encoding="utf-8"))
    photos = [entry for entry in entries if entry["set"] == "compreface"]
    assert sum(len(photo["faces"]) for photo in photos) == 46
    (tmp_path / "truth.json").write_text(json.dumps(photos))
    name = Settings.model_fields["detector"].default
    with Engine(detector=name, models=models, settings=models.settings) as engine:
        report = detection(engine, tmp_path / "truth.json", shared_data)
    assert report.missed == ()
    assert report.recall == 1.0
    told = {one.on: one.figures for one in models.card(name, "detect").measured}["CompreFace"]
    assert told["recall"] == report.recall
    assert told["precision"] == pytest.approx(report.precision, abs=5e-3)
