"""What is kept of enrolled photos, and that it can be looked at again."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from mien.config import load
from mien.engine.keeping import images_for
from mien.errors import ConfigurationError
from mien.gallery import Gallery, GroupSettings
from mien.image import open_photo
from mien.testing import drawn_face, drawn_photo, mock_engine
from mien.types import Box


@pytest.fixture
def engine():
    with mock_engine() as made:
        yield made


@pytest.fixture
def gallery(tmp_path, engine):
    with Gallery.open(f"sqlite:///{tmp_path / 'g.db'}") as made:
        settings = GroupSettings(images="photos")
        made.create_group("staff", contract=engine.embedder.contract, settings=settings)
        yield made


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("place", [(60, 40), (0, 0), (200, 120)])
def test_a_kept_crop_gives_the_same_template(engine, gallery, place):
    data = png(drawn_photo([(7, *place, 120)], (240, 320)))
    (face,) = engine.enroll(gallery, "staff", "ann", [data]).face_ids
    kept = gallery.image("staff", face)
    assert (kept.kind, kept.media_type) == ("crop", "image/jpeg")
    again = engine.represent(kept.data)
    assert (again.detection.width, again.detection.height) == (240, 240)
    _, templates = gallery.embeddings("staff", "ann")
    assert float(again.embeddings.vector[0] @ templates.vector[0]) > 0.99


def test_a_photo_is_kept_as_it_was_sent(engine, gallery):
    data = png(drawn_face(3))
    (face,) = engine.enroll(gallery, "staff", "ann", [data]).face_ids
    kept = gallery.image("staff", face, kind="photo")
    assert (kept.media_type, kept.data) == ("image/png", data)
    assert gallery.face("staff", face).source_sha256 == hashlib.sha256(kept.data).hexdigest()


def test_an_array_is_kept_as_a_jpeg(engine, gallery):
    (face,) = engine.enroll(gallery, "staff", "ann", [drawn_face(3)]).face_ids
    kept = gallery.image("staff", face, kind="photo")
    assert kept.media_type == "image/jpeg"
    assert Image.open(io.BytesIO(kept.data)).size == (320, 240)


def test_a_large_photo_is_cut_from_its_full_size():
    pixels = np.random.default_rng(0).integers(0, 255, (1500, 4000, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=95)
    photo = open_photo(out.getvalue())
    (kept,) = images_for(photo, Box(1000, 500, 1200, 700), "crops", load())
    assert Image.open(io.BytesIO(kept.data)).size == (400, 400)
    (kept,) = images_for(photo, Box(1000, 500, 1200, 700), "crops", load(keep_crop_side=112))
    assert Image.open(io.BytesIO(kept.data)).size == (112, 112)
    coarse = images_for(photo, Box(1000, 500, 1200, 700), "crops", load(keep_crop_quality=50))
    fine = images_for(photo, Box(1000, 500, 1200, 700), "crops", load(keep_crop_quality=100))
    assert len(coarse[0].data) < len(fine[0].data)


def test_nothing_is_kept_unless_the_group_asks(engine, gallery):
    assert images_for(open_photo(drawn_face(1)), Box(0, 0, 9, 9), "none", load()) == ()


@pytest.mark.parametrize(
    ("name", "least", "most"), [("keep_crop_side", 112, 2048), ("keep_crop_quality", 50, 100)]
)
def test_the_limits_of_what_is_kept(name, least, most):
    for value in (least, most):
        assert getattr(load(**{name: value}), name) == value
    for value in (least - 1, most + 1):
        with pytest.raises(ConfigurationError, match=name):
            load(**{name: value})
