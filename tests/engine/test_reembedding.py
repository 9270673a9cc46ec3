"""A group goes to another model, and is served by the model that it is pinned to."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from mien.engine import Engine, EnrolmentPhoto
from mien.engine.reembedding import MissingFace
from mien.errors import EmbeddingMismatch, InvalidArgument, NotFound
from mien.gallery import Gallery, GroupSettings
from mien.testing import MockDetector, MockEmbedder, drawn_face, drawn_photo

OLD, NEW = MockEmbedder(), MockEmbedder(version=2)


@pytest.fixture
def old():
    with Engine(detector=MockDetector(), embedder=OLD) as made:
        yield made


@pytest.fixture
def new():
    with Engine(detector=MockDetector(), embedder=NEW) as made:
        yield made


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'g.db'}") as made:
        made.create_group("staff", contract=OLD.contract, settings=GroupSettings(images="crops"))
        yield made


def png(identity, width=320):
    out = io.BytesIO()
    Image.fromarray(drawn_face(identity, (240, width))).save(out, "PNG")
    return out.getvalue()


def enrol(engine, gallery, *identities, group="staff"):
    return [engine.enroll(gallery, group, f"p{i}", [png(i)]).face_ids[0] for i in identities]


def who(engine, gallery, identity, group="staff"):
    (matches,) = engine.identify(gallery, group, png(identity, 330), threshold=0.6)
    return [candidate.person for candidate in matches.candidates]


def reasons(done):
    return {one.person: one.reason for one in done.missing}


def test_an_old_group_is_refused_moved_and_then_found(old, new, gallery):
    faces = enrol(old, gallery, 1, 2, 3)
    with pytest.raises(EmbeddingMismatch, match="mien gallery reembed staff --embedder mock"):
        who(new, gallery, 1)
    with pytest.raises(EmbeddingMismatch, match="reembed"):
        new.enroll(gallery, "staff", "p4", [png(4)])
    seen = []
    done = new.reembed(gallery, "staff", watch=lambda *numbers: seen.append(numbers))
    assert (done.moved, done.embedded, done.resumed, done.missing) == (True, 3, 0, ())
    assert seen == [(3, 3)]
    assert [who(new, gallery, i) for i in (1, 2, 3, 9)] == [["p1"], ["p2"], ["p3"], []]
    assert new.verify(gallery, "staff", "p2", png(2, 350), threshold=0.6).match
    assert [face.id for face in gallery.faces("staff")] == faces
    with pytest.raises(EmbeddingMismatch):
        who(old, gallery, 1)
    again = new.reembed(gallery, "staff")
    assert (again.moved, again.embedded, again.faces) == (True, 0, 3)
    assert "already" in str(again)


def test_an_engine_serves_groups_of_its_other_models(old, gallery):
    enrol(old, gallery, 1, 2)
    with Engine(detector=MockDetector(), embedder=NEW, embedders=[OLD]) as both:
        assert who(both, gallery, 1) == ["p1"]
        assert both.verify(gallery, "staff", "p2", png(2, 350), threshold=0.6).match
        enrol(both, gallery, 3)
        assert gallery.group("staff").contract == OLD.contract
        assert who(both, gallery, 3) == ["p3"]
        enrol(both, gallery, 5, group="made")
        assert gallery.group("made").contract == NEW.contract
        both.reembed(gallery, "staff")
        assert [who(both, gallery, i) for i in (1, 2, 3)] == [["p1"], ["p2"], ["p3"]]
        assert both.reembed(gallery, "staff", embedder=OLD).moved  # and back
        assert who(old, gallery, 2) == ["p2"]


def test_a_search_in_the_moment_of_the_move_is_repeated(old, gallery, monkeypatch):
    enrol(old, gallery, 1, 2)
    with Engine(detector=MockDetector(), embedder=NEW, embedders=[OLD]) as both:
        search = gallery.search

        def moved_before(*arguments, **options):
            monkeypatch.undo()
            assert both.reembed(gallery, "staff").moved
            return search(*arguments, **options)

        monkeypatch.setattr(gallery, "search", moved_before)
        assert who(both, gallery, 2) == ["p2"]
        assert gallery.group("staff").contract == NEW.contract


def test_enrolment_goes_on_over_the_move(old, gallery):
    with Engine(detector=MockDetector(), embedder=NEW, embedders=[OLD]) as both:
        photos = [EnrolmentPhoto(f"p{i}", png(i), f"{i}") for i in range(1, 9)]
        outcomes = both.enroll_each(gallery, "staff", photos)
        first = next(outcomes)
        assert both.reembed(gallery, "staff").moved
        assert [one.face_id is not None for one in [first, *outcomes]] == [True] * 8
        assert [who(both, gallery, i) for i in range(1, 9)] == [[f"p{i}"] for i in range(1, 9)]
        assert len({face.contract for face in gallery.faces("staff")}) == 1


def test_faces_enrolled_meanwhile_are_moved_too(old, new, gallery):
    enrol(old, gallery, 1)

    def enrol_one_more(done, total):
        if gallery.size("staff") < 3:
            enrol(old, gallery, gallery.size("staff") + 1)

    done = new.reembed(gallery, "staff", watch=enrol_one_more)
    assert (done.moved, done.embedded) == (True, 3)
    assert [who(new, gallery, i) for i in (1, 2, 3)] == [["p1"], ["p2"], ["p3"]]


def test_faces_without_an_image_hold_it_up_or_are_dropped(old, new, gallery):
    enrol(old, gallery, 1, 2)
    gallery.set_group("staff", settings={"images": "none"})
    (lost,) = enrol(old, gallery, 3)
    plan = new.reembed(gallery, "staff", dry_run=True)
    assert (plan.moved, plan.embedded, plan.missing) == (
        False, 2, (MissingFace(lost, "p3", "no_image"),),
    )  # fmt: skip
    kept = new.reembed(gallery, "staff")
    assert (kept.moved, kept.embedded, reasons(kept)) == (False, 2, {"p3": "no_image"})
    assert gallery.group("staff").contract == OLD.contract
    assert who(old, gallery, 3) == ["p3"]
    done = new.reembed(gallery, "staff", drop_missing=True)
    assert (done.moved, done.embedded, done.resumed, done.dropped) == (True, 0, 2, 1)
    assert gallery.size("staff") == 2
    assert gallery.person("staff", "p3").faces == 0


def test_photos_given_again_are_found_by_their_hash(old, new, gallery, tmp_path):
    gallery.set_group("staff", settings={"images": "none"})
    two = drawn_photo([(6, 10, 10, 90), (7, 150, 60, 150)], (240, 320))
    Image.fromarray(two).save(tmp_path / "two.png")
    old.enroll(gallery, "staff", "p7", [tmp_path / "two.png"])
    enrol(old, gallery, 1)
    folder = tmp_path / "photos" / "deep"
    folder.mkdir(parents=True)
    (folder / "renamed.bin").write_bytes(png(1))
    (folder / "notes.txt").write_text("no photo")
    assert reasons(new.reembed(gallery, "staff", photos=folder.parent)) == {"p7": "no_image"}
    (tmp_path / "two.png").rename(folder / "again")
    assert new.reembed(gallery, "staff", photos=str(folder.parent), dry_run=True).missing == ()
    assert new.reembed(gallery, "staff", photos=folder.parent).moved
    assert (who(new, gallery, 1), who(new, gallery, 7), who(new, gallery, 6)) == (
        ["p1"],
        ["p7"],
        [],
    )


def test_the_kept_photo_shows_which_of_its_faces_it_is(old, new, gallery):
    gallery.set_group("staff", settings={"images": "photos"})
    two = drawn_photo([(6, 10, 10, 90), (7, 150, 60, 150)], (240, 320))
    found = old.represent(two)
    small = 1 if found.detection[0].box.area > found.detection[1].box.area else 0
    out = io.BytesIO()
    Image.fromarray(two).save(out, "PNG")
    from mien.gallery import FaceImage

    gallery.add_faces(
        "staff", "p6", found.embeddings.take([small]), contract=OLD.contract, create_person=True,
        source_sha256="a" * 64, boxes=[found.detection[small].box],
        images=[[FaceImage("photo", "image/png", out.getvalue())]],
    )  # fmt: skip
    assert new.reembed(gallery, "staff").moved
    assert (who(new, gallery, 6), who(new, gallery, 7)) == (["p6"], [])


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [(np.full((64, 64, 3), 128, np.uint8), "no_face"), (None, "image_unusable")],
)
def test_an_image_that_shows_no_face_or_is_none(old, new, gallery, pixels, reason):
    from mien.gallery import FaceImage

    data = b"\xff\xd8\xff no image"
    if pixels is not None:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG")
        data = out.getvalue()
    gallery.add_faces(
        "staff", "p1", old.represent(png(1)).embeddings, contract=OLD.contract,
        create_person=True, images=[[FaceImage("crop", "image/jpeg", data)]],
    )  # fmt: skip
    assert reasons(new.reembed(gallery, "staff")) == {"p1": reason}
    assert new.reembed(gallery, "staff", drop_missing=True).dropped == 1


def test_a_dry_run_writes_nothing(old, new, gallery, tmp_path):
    enrol(old, gallery, 1)
    seen = len(gallery.privacy.audit(limit=1000))
    with gallery._database.reading() as connection:
        before = connection.exec_driver_sql("SELECT count(*) FROM contracts").scalar()
    plan = new.reembed(gallery, "staff", dry_run=True)
    assert (plan.embedded, plan.moved, plan.dry_run) == (1, False, True)
    with gallery._database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM contracts").scalar() == before
    assert len(gallery.privacy.audit(limit=1000)) == seen


def test_two_at_once_move_it_once(old, new, gallery):
    enrol(old, gallery, *range(1, 7))
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(attempt(new, gallery))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert True in done
    assert [who(new, gallery, i) for i in range(1, 7)] == [[f"p{i}"] for i in range(1, 7)]


def attempt(engine, gallery):
    try:
        return engine.reembed(gallery, "staff").moved
    except EmbeddingMismatch:  # the other was quicker
        return False


def test_what_cannot_be(new, gallery, tmp_path):
    with pytest.raises(NotFound):
        new.reembed(gallery, "nobody")
    with pytest.raises(InvalidArgument, match="no folder"):
        new.reembed(gallery, "staff", photos=tmp_path / "nowhere")
    assert new.reembed(gallery, "staff").moved  # an empty group
