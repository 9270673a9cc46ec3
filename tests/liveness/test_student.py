"""The net that ships: whole, small, heard only where its teachers cannot be had."""

from __future__ import annotations

import importlib.resources

import numpy as np
import pytest

from mien import config
from mien.engine import Engine
from mien.errors import WeightsMissing
from mien.liveness import PassiveLiveness, names
from mien.liveness import registry as liveness_registry
from mien.liveness.student import FACTORS, STUDENT, STUDENT_THRESHOLDS, Student
from mien.models import ModelStore
from mien.testing import MockSession
from mien.types import Box


@pytest.fixture
def alone(tmp_path):
    """No network, no mirror, an empty cache."""
    return config.load(cache_dir=tmp_path / "cache", offline=True, models_mirror="")


def noise(seed=4, size_hw=(300, 300)):
    return np.random.default_rng(seed).integers(0, 256, (*size_hw, 3), np.uint8)


def test_the_file_in_the_package_is_the_cards_and_small(alone):
    card = ModelStore(alone).card(STUDENT, "liveness")
    (source,) = card.sources
    file = importlib.resources.files(source.package).joinpath(source.file)
    data = file.read_bytes()
    assert len(data) == source.size <= 2_000_000
    assert ModelStore(alone).path(card).read_bytes() == data


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_it_runs_in_every_runtime_alike(alone, runtime):
    models = ModelStore(alone)
    card = models.card(STUDENT, "liveness")
    if runtime not in {way.runtime for way in models.ways(card)}:
        pytest.skip(f"{runtime} is not installed")
    session = models.open(card, runtime=runtime, precision="float32")
    net = Student(STUDENT, session)
    said = [net.live_score(noise(seed), Box(100, 100, 180, 190)) for seed in range(3)]
    reference = Student(STUDENT, models.open(card, runtime="onnxruntime", precision="float32"))
    again = [reference.live_score(noise(seed), Box(100, 100, 180, 190)) for seed in range(3)]
    np.testing.assert_allclose(said, again, atol=2e-3)
    assert all(0 <= score <= 1 for score in said)


def test_it_sees_both_crops_in_blue_green_red():
    session = MockSession({"belief": np.array([[0.2, 0.7, 0.1]], np.float32)}, ["near", "far"])
    photo = np.zeros((400, 400, 3), np.uint8)
    photo[:] = (10, 20, 250)
    photo[160:240, 160:240] = (90, 90, 90)  # the face
    assert Student("x", session).live_score(photo, Box(160, 160, 240, 240)) == pytest.approx(0.7)
    (call,) = session.calls
    for name in ("near", "far"):
        assert call[name].shape == (1, 3, 80, 80)
        np.testing.assert_array_equal(call[name][0, :, 0, 0], [250, 20, 10])
    grey = [int((call[name][0, 0] == 90).sum()) for name in ("near", "far")]
    assert grey[0] > 1.8 * grey[1]  # (4 / 2.7) ** 2 is 2.2
    assert Student.factor == max(FACTORS)


def test_it_speaks_where_its_teachers_cannot_be_had(alone):
    with Engine(settings=alone) as engine:
        assert [net.name for net in engine.liveness.nets] == [STUDENT]
        assert engine.liveness.thresholds is STUDENT_THRESHOLDS
        told = engine.liveness.check(noise(), Box(100, 100, 180, 190), condition="strict")
    assert {*told.nets} == {STUDENT}
    assert told.threshold == STUDENT_THRESHOLDS["strict"]


def test_conditions_ask_more_and_more():
    points = [STUDENT_THRESHOLDS[name] for name in ("weak", "balanced", "strict")]
    assert points == sorted(points)
    assert 0 < points[0] < points[-1] < 1


def test_switched_off_there_is_no_answer(alone):
    settings = alone.model_copy(update={"liveness_fallback": False})
    with pytest.raises(WeightsMissing, match="mien models pull"):
        PassiveLiveness.load(ModelStore(settings))


def test_absent_there_is_no_answer(alone, monkeypatch):
    teachers = [name for name in names() if name != STUDENT]
    monkeypatch.setattr("mien.liveness.passive.names", lambda: teachers)
    with pytest.raises(WeightsMissing):
        PassiveLiveness.load(ModelStore(alone))


def test_a_damaged_file_is_no_net(alone, monkeypatch):
    monkeypatch.setattr("mien.models.fetch._installed", lambda sources: None)
    with pytest.raises(WeightsMissing):
        PassiveLiveness.load(ModelStore(alone))
    assert STUDENT in liveness_registry.names()


@pytest.mark.shared
def test_with_the_teachers_it_is_silent(published, tmp_path):
    settings = config.load(cache_dir=tmp_path, offline=True, models_mirror=str(published))
    check = PassiveLiveness.load(ModelStore(settings))
    assert STUDENT not in {net.name for net in check.nets}
    assert len(check.nets) == 2


@pytest.mark.shared
@pytest.mark.parametrize(
    ("photo", "live"),
    [("image_T1", True), ("image_F1", False), ("image_F2", False), ("inspireface_rgb_fake", False)],
)
def test_real_attacks_and_a_live_face(photo, live, alone, shared_data):
    """The verdicts of its teachers on photos that it never saw."""
    settings = config.load()
    with Engine(settings=settings) as engine:
        found = engine.photo(shared_data / "spoof_minivision" / f"{photo}.jpg")
        box = max(engine.detect(found, liveness="off"), key=lambda face: face.box.area).box
    told = PassiveLiveness.load(ModelStore(alone)).check(found.pixels(), box)
    assert {*told.nets} == {STUDENT}
    assert told.live is live
