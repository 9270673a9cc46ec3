"""Re-embedding and serving with the real models."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mien.engine import Engine
from mien.errors import EmbeddingMismatch
from mien.gallery import Gallery, GroupSettings


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'g.db'}") as made:
        yield made


def best(engine, gallery, photo):
    found = engine.identify(gallery, "staff", photo)
    return [candidate.person for candidate in next(iter(found)).candidates]


@pytest.fixture
def faces(people):
    """Two photos each of two persons: one to enrol, one to look for."""
    return {name: photos[:2] for name, photos in people.items() if len(photos) > 1}


def test_a_group_of_sfaces_first_preprocessing_is_moved(engine, gallery, faces):
    now = engine.embedder.contract
    before = replace(now, preprocessing=1)
    settings = GroupSettings(images="crops")
    gallery.create_group("enrolled", contract=now, settings=settings)
    gallery.create_group("staff", contract=before, settings=settings)
    for name, (photo, _) in faces.items():
        (face,) = engine.enroll(gallery, "enrolled", name, [photo]).face_ids
        stored, templates = gallery.embeddings("enrolled", name)
        gallery.add_faces(
            "staff", name, templates, contract=before, source_sha256=stored[0].source_sha256,
            images=[[gallery.image("enrolled", face)]], create_person=True,
        )  # fmt: skip
    gallery.delete_group("enrolled")
    name, (_, other) = next(iter(faces.items()))
    with pytest.raises(EmbeddingMismatch, match="mien gallery reembed staff --embedder sface"):
        best(engine, gallery, other)
    done = engine.reembed(gallery, "staff")
    assert (done.moved, done.embedded, done.missing) == (True, len(faces), ())
    for name, (photo, _) in faces.items():
        assert best(engine, gallery, photo)[0] == name
        again = engine.represent(photo, max_faces=1).embeddings
        kept = gallery.embeddings("staff", name)[1]
        assert float(again.vector[0] @ kept.vector[0]) > 0.9  # from the crop, not from the photo


def test_a_group_is_served_by_its_own_model(engine, models, gallery, faces):
    name, (photo, other) = next(iter(faces.items()))
    with Engine(models=models, settings=models.settings, embedder="mobilefacenet") as mobile:
        gallery.create_group("staff", contract=mobile.embedder.contract)
        (face,) = engine.enroll(gallery, "staff", name, [photo]).face_ids
        assert gallery.face("staff", face).contract.model == "mobilefacenet"
        assert best(engine, gallery, other) == best(mobile, gallery, other)
        assert best(engine, gallery, photo) == [name]
        told = engine.verify(gallery, "staff", name, other)
        same = mobile.verify(gallery, "staff", name, other)
        assert (told.embedder, told.confidence) == ("mobilefacenet", same.confidence)
        assert engine.embedder.contract.model == "sface"
