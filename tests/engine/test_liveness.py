"""off, observe and enforce in every operation of the engine, with drawn faces."""

from __future__ import annotations

import numpy as np
import pytest

from mien import config
from mien.engine import LivenessCheck
from mien.errors import InvalidArgument, SpoofSuspected
from mien.gallery import Gallery
from mien.liveness import PassiveLiveness
from mien.testing import MockLivenessNet, drawn_photo, mock_engine

LIVE, SPOOF = 0.9, 0.1


def score_of(photo, box):
    """A face in the right half of a wide photo is an attack; in a marked photo every face is."""
    marked = photo[0, 0, 0] == 0
    return SPOOF if marked or (photo.shape[1] > 600 and box.x0 > photo.shape[1] / 2) else LIVE


def photo(identity, *, marked=False):
    made = drawn_photo([(identity, 200, 120, 80)], (360, 480))
    made[0, 0] = 0 if marked else 225
    return made


TWO = drawn_photo([(1, 100, 150, 90), (2, 600, 150, 80)], (400, 900))


@pytest.fixture
def net():
    return MockLivenessNet(score_of)


@pytest.fixture
def engine(net, tmp_path):
    with mock_engine(config.Settings(data_dir=tmp_path), liveness=PassiveLiveness([net])) as made:
        yield made


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'g.db'}") as opened:
        yield opened


def operations(engine, gallery):
    engine.enroll(gallery, "staff", "Ann", [photo(1)], liveness="off")
    return {
        "detect": lambda image, **how: engine.detect(image, **how),
        "analyze": lambda image, **how: engine.analyze(image, actions=["quality"], **how),
        "compare a": lambda image, **how: engine.compare(image, photo(1), **how),
        "compare b": lambda image, **how: engine.compare(photo(1), image, **how),
        "identify": lambda image, **how: engine.identify(gallery, "staff", image, **how),
        "verify": lambda image, **how: engine.verify(gallery, "staff", "Ann", image, **how),
    }


def test_an_attack_is_reported_when_observed_and_refused_when_enforced(engine, gallery, net):
    for name, ask in operations(engine, gallery).items():
        before = net.calls
        assert "liveness" not in ask(photo(1, marked=True), liveness="off").to_json(), name
        assert net.calls == before, name
        told = ask(photo(1, marked=True), liveness="observe").to_json()
        assert '"verdict": "spoof"' in told, name
        with pytest.raises(SpoofSuspected) as caught:
            ask(photo(1, marked=True), liveness="enforce")
        assert caught.value.details["verdict"] == "spoof", name
        assert '"verdict": "live"' in ask(photo(1), liveness="enforce").to_json(), name


def test_a_face_of_which_nothing_can_be_said_is_not_let_through(engine):
    close = drawn_photo([(1, 10, 10, 180)], (200, 200))
    (told,) = engine.detect(close, liveness="observe").liveness
    assert (told.verdict, told.live) == ("undetermined", False)
    with pytest.raises(SpoofSuspected, match="farther away") as caught:
        engine.detect(close, liveness="enforce")
    assert caught.value.details["verdict"] == "undetermined"


def test_identification_searches_only_faces_that_are_live(engine, gallery):
    for name, identity in (("Ann", 1), ("Bob", 2)):
        engine.enroll(gallery, "staff", name, [photo(identity)])
    assert {*engine.identify(gallery, "staff", TWO).people} == {"Ann", "Bob"}
    observed = engine.identify(gallery, "staff", TWO, liveness="observe")
    assert {*observed.people} == {"Ann", "Bob"}
    assert [face.liveness.live for face in observed] == [True, False]
    enforced = engine.identify(gallery, "staff", TWO, liveness="enforce")
    assert enforced.people == ["Ann"]
    assert [face.liveness.verdict for face in enforced] == ["live", "spoof"]


def test_a_photo_without_faces_is_no_attack(engine, gallery):
    engine.enroll(gallery, "staff", "Ann", [photo(1)])
    empty = np.full((100, 100, 3), 225, np.uint8)
    assert len(engine.detect(empty, liveness="enforce")) == 0
    assert len(engine.identify(gallery, "staff", empty, liveness="enforce")) == 0
    assert len(engine.check_liveness(empty)) == 0


def test_enrolment_rejects_attacks_and_keeps_the_others(engine, gallery):
    photos = [photo(1), photo(2, marked=True)]
    done = engine.enroll(gallery, "staff", "Ann", photos, liveness="enforce")
    assert done.enrolled == 1
    assert [one.reasons for one in done.rejected] == [("spoof_suspected",)]
    assert [one.live for one in done.liveness] == [True]
    observed = engine.enroll(gallery, "staff", "Bob", photos, liveness="observe")
    assert observed.enrolled == 2
    assert [one["live"] for one in observed.to_dict()["liveness"]] == [True, False]
    assert "liveness" not in engine.enroll(gallery, "staff", "Eve", [photo(5)]).to_dict()


def test_the_settings_decide_where_a_call_does_not(net, tmp_path):
    settings = config.Settings(data_dir=tmp_path, liveness="enforce", liveness_condition="strict")
    with mock_engine(settings, liveness=PassiveLiveness([net])) as engine:
        with pytest.raises(SpoofSuspected):
            engine.detect(photo(1, marked=True))
        (told,) = engine.detect(photo(1)).liveness
        assert told.condition == "strict"
        assert engine.detect(photo(1, marked=True), liveness="off").liveness is None
        weak = LivenessCheck("observe", "weak")
        assert engine.detect(photo(1), liveness=weak).liveness[0].threshold < told.threshold


def test_check_liveness_tells_and_never_refuses(engine):
    found = engine.check_liveness(TWO, condition="weak")
    assert [face["liveness"].live for face in found] == [True, False]
    assert found.actions == ("liveness",)
    assert len(engine.check_liveness(TWO, max_faces=1)) == 1


def test_the_largest_faces_keep_their_verdicts(engine):
    found = engine.detect(TWO, liveness="observe")
    assert len(found.first(1).liveness) == len(found.first(1)) == 1


def test_liveness_among_other_attributes_stands_where_it_was_asked(engine, net):
    found = engine.analyze(photo(1), actions=["quality"], liveness="observe")
    assert list(found[0].values) == ["quality", "liveness"]
    assert net.calls == 1


@pytest.mark.parametrize("wrong", ["on", "", 3, True, ["observe"]])
def test_a_policy_that_there_is_not(engine, wrong):
    with pytest.raises(InvalidArgument, match="policy"):
        engine.detect(photo(1), liveness=wrong)
    with pytest.raises(InvalidArgument, match="condition"):
        LivenessCheck("observe", wrong)
