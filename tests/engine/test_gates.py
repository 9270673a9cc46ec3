"""What keeps a photo from being enrolled: its hash, quality, consent, and whom it looks like."""

from __future__ import annotations

import pytest

from mien.engine import Engine, EnrolmentPhoto
from mien.errors import InvalidArgument, SpoofSuspected
from mien.gallery import Gallery, GroupSettings
from mien.liveness import PassiveLiveness
from mien.testing import (
    MockDetector,
    MockEmbedder,
    MockLivenessNet,
    drawn_face,
    drawn_photo,
    mock_engine,
)


@pytest.fixture
def engine():
    with mock_engine() as made:
        yield made


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'g.db'}") as made:
        yield made


def group(gallery, engine, **settings):
    gallery.create_group(
        "staff", contract=engine.embedder.contract, settings=GroupSettings(**settings)
    )


def face(identity, width=320):
    return drawn_face(identity, (240, width))


def test_a_photo_that_is_enrolled_is_not_looked_at_again(engine, gallery, monkeypatch):
    first = engine.enroll(gallery, "staff", "ann", [face(1)])
    monkeypatch.setattr(engine, "represent", lambda *_, **__: pytest.fail("looked at again"))
    (outcome,) = engine.enroll_each(gallery, "staff", [EnrolmentPhoto("ann", face(1), "x")])
    assert outcome.rejection is not None
    assert outcome.rejection.reasons == ("duplicate",)
    assert outcome.known_face == first.face_ids[0]
    assert gallery.size("staff") == 1


def test_a_photo_of_another_person_of_the_same_hash_is_looked_at(engine, gallery):
    engine.enroll(gallery, "staff", "ann", [face(1)])
    assert engine.enroll(gallery, "staff", "bea", [face(1)]).enrolled == 1
    assert engine.enroll(gallery, "other", "ann", [face(1)]).enrolled == 1


def test_the_external_number_is_kept(engine, gallery):
    photo = EnrolmentPhoto("ann", lambda: face(1), "x", "A-17")
    (outcome,) = engine.enroll_each(gallery, "staff", [photo])
    assert gallery.face("staff", outcome.face_id).external_image_id == "A-17"


@pytest.mark.parametrize("policy", ["allow", "warn", "refuse"])
def test_a_face_of_somebody_else_under_another_name(engine, gallery, policy):
    group(gallery, engine, duplicates=policy)
    assert engine.enroll(gallery, "staff", "ann", [face(1), face(2)]).enrolled == 2
    done = engine.enroll(gallery, "staff", "bea", [face(1, 400), face(3)], names=["one", "three"])
    told = [told.to_dict() for told in (*done.rejected, *done.warnings)]
    assert done.enrolled == (1 if policy == "refuse" else 2)
    assert len(done.warnings) == (policy == "warn")
    assert [(t["image"], t["reasons"]) for t in told] == (
        [] if policy == "allow" else [("one", ["looks_like:ann"])]
    )


def test_a_person_looks_like_himself_under_name_and_id(engine, gallery):
    group(gallery, engine, duplicates="refuse")
    engine.enroll(gallery, "staff", "ann", [face(1)])
    person = gallery.person("staff", "ann")
    assert engine.enroll(gallery, "staff", "ann", [face(1, 400)]).enrolled == 1
    assert engine.enroll(gallery, "staff", person.id, [face(1, 410)]).enrolled == 1


def test_two_photos_of_one_run_are_compared_with_each_other(engine, gallery):
    group(gallery, engine, duplicates="refuse")
    photos = [EnrolmentPhoto(name, face(1, w), name) for name, w in [("ann", 320), ("bea", 400)]]
    outcomes = engine.enroll_each(gallery, "staff", photos)
    reasons = [outcome.rejection and outcome.rejection.reasons for outcome in outcomes]
    assert reasons == [None, ("looks_like:ann",)]


def test_a_model_without_calibration_cannot_decide(gallery):
    with Engine(detector=MockDetector(), embedder=MockEmbedder()) as plain:
        group(gallery, plain, duplicates="warn")
        with pytest.raises(InvalidArgument, match="calibration"):
            plain.enroll(gallery, "staff", "ann", [face(1)])
    assert gallery.size("staff") == 0


def test_quality_is_measured_only_where_the_group_asks(engine, gallery):
    plain = engine.enroll(gallery, "plain", "ann", [face(1)])
    assert gallery.face("plain", plain.face_ids[0]).quality is None
    (analysed,) = engine.analyze(face(1), actions=("quality",))
    score = analysed["quality"].score
    group(gallery, engine, min_quality=score / 100)  # at the edge
    done = engine.enroll(gallery, "staff", "ann", [face(1)])
    assert gallery.face("staff", done.face_ids[0]).quality == pytest.approx(score / 100)


def test_a_photo_below_the_quality_gate_says_why(engine, gallery):
    group(gallery, engine, min_quality=0.95)
    blown = face(1)
    blown[88:152, 128:192] = 255
    done = engine.enroll(gallery, "staff", "ann", [blown], names=["blown"])
    assert done.enrolled == 0
    assert done.rejected[0].reasons[0] == "low_quality"
    assert "too_bright" in done.rejected[0].reasons
    assert "0.95" in done.rejected[0].message
    assert gallery.persons("staff") == []


def test_a_group_that_demands_consent(engine, gallery):
    group(gallery, engine, consent="required")
    done = engine.enroll(gallery, "staff", "ann", [face(1)], names=["a"])
    assert [r.reasons for r in done.rejected] == [("consent_missing",)]
    assert gallery.persons("staff") == []
    gallery.add_person("staff", "ann")
    gallery.privacy.give_consent("staff", "ann", purpose="door", text_version="1", language="en")
    assert engine.enroll(gallery, "staff", "ann", [face(1)]).enrolled == 1


# ------------------------------------------------------------------ liveness


def photo():
    return drawn_photo([(1, 200, 120, 80)], (360, 480))


def test_a_group_asks_for_liveness_whatever_the_call_asks(gallery):
    net = MockLivenessNet(0.3)  # live at weak, not at balanced
    with mock_engine(liveness=PassiveLiveness([net])) as engine:
        group(gallery, engine)
        assert engine.enroll(gallery, "staff", "ann", [photo()]).enrolled == 1
        assert net.calls == 0
        gallery.set_group("staff", settings={"liveness": "enforce"})
        refused = engine.enroll(gallery, "staff", "bea", [photo()], liveness="off")
        assert [one.reasons for one in refused.rejected] == [("spoof_suspected",)]
        for ask in (None, "off", "observe"):
            with pytest.raises(SpoofSuspected):
                engine.identify(gallery, "staff", photo(), threshold=0.5, liveness=ask)
            with pytest.raises(SpoofSuspected):
                engine.verify(gallery, "staff", "ann", photo(), threshold=0.5, liveness=ask)
        gallery.set_group("staff", settings={"liveness": "observe"})
        assert engine.enroll(gallery, "staff", "bea", [photo()]).liveness[0].verdict == "spoof"
        found = engine.identify(gallery, "staff", photo(), threshold=0.5)
        assert found.faces[0].liveness.condition == "balanced"  # the settings' own
        gallery.set_group("staff", settings={"liveness_condition": "strict"})
        told = engine.verify(gallery, "staff", "ann", photo(), threshold=0.5).liveness
        assert told[0].condition == "strict"
