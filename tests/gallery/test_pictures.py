"""Images that are kept with faces: sealed, bound to their face, and gone with it."""

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import InvalidArgument, KeyMismatch, LimitExceeded, NotFound
from mien.gallery import FaceImage, Gallery, GalleryLimits, GroupSettings
from mien.gallery.records.schema import face_images
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Box, Embeddings

CONTRACT = random_contract(8)
CROP = FaceImage("crop", "image/jpeg", b"\xff\xd8\xff\xe0 a crop " + bytes(range(256)) * 20)
PHOTO = FaceImage("photo", "image/png", b"\x89PNG a photo " + bytes(range(255, 0, -1)) * 20)


def enrol(gallery, person="Ann", seed=0, images=((CROP, PHOTO),), n=1, group="people"):
    vectors = unit_vectors(n, 8, seed=seed)
    stored = gallery.add_faces(
        group, person, Embeddings(vectors, np.ones(n, np.float32)), contract=CONTRACT,
        source_sha256=f"{seed:064x}", boxes=[Box(9 * i, 0, 9 * i + 8, 8) for i in range(n)],
        images=images, create_person=True,
    )  # fmt: skip
    return stored[0].id if n == 1 else [face.id for face in stored]


def group(gallery, images="photos", name="people"):
    gallery.create_group(name, contract=CONTRACT, settings=GroupSettings(images=images))


def rows(gallery):
    with gallery._database.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(face_images)).scalar()


@pytest.mark.parametrize(
    ("policy", "kept"), [("none", []), ("crops", [CROP]), ("photos", [CROP, PHOTO])]
)
def test_what_is_kept_is_what_the_group_says(gallery, policy, kept):
    group(gallery, policy)
    face = enrol(gallery)
    for image in (CROP, PHOTO):
        if image in kept:
            assert gallery.image("people", face, kind=image.kind) == image
        else:
            with pytest.raises(NotFound, match="kept with the face"):
                gallery.image("people", face, kind=image.kind)
    if kept:
        assert gallery.image("people", face) == CROP
    assert rows(gallery) == len(kept)


def test_a_photo_stands_in_for_a_crop_that_is_not_there(gallery):
    group(gallery)
    assert gallery.image("people", enrol(gallery, images=[[PHOTO]])) == PHOTO


def test_faces_of_one_call_have_images_of_their_own(gallery):
    group(gallery)
    others = [FaceImage("crop", "image/jpeg", bytes([i]) * 40) for i in range(3)]
    first, second, third = enrol(gallery, images=[[others[0]], [], [others[2]]], n=3)
    assert gallery.image("people", first) == others[0]
    assert gallery.image("people", third) == others[2]
    with pytest.raises(NotFound):
        gallery.image("people", second)
    anonymous = enrol(gallery, None, seed=5, images=[[others[1]], [PHOTO]], n=2)
    assert [gallery.image("people", face) for face in anonymous] == [others[1], PHOTO]


def test_an_image_goes_with_its_face(gallery):
    group(gallery)
    face, other = enrol(gallery), enrol(gallery, "Bob", 1)
    gallery.delete_face("people", face)
    assert rows(gallery) == 2
    with pytest.raises(NotFound):
        gallery.image("people", face)
    assert gallery.image("people", other) == CROP
    gallery.delete_person("people", "Bob")
    assert rows(gallery) == 0


def test_an_image_goes_where_its_face_goes(gallery):
    group(gallery)
    group(gallery, "none", "club")
    face, other = enrol(gallery), enrol(gallery, "Bob", 1)

    def seen(name, where="people"):
        return gallery.image(where, face, person=name)

    gallery.merge_persons("people", "Bob", "Ann")
    assert seen("Bob") == CROP
    gallery.undo("people")
    assert seen("Ann") == CROP
    gallery.move_person("people", "Ann", "club")
    assert seen("Ann", "club") == CROP  # a policy holds for what is enrolled from then on
    gallery.undo("people")
    enrol(gallery, "Ann", 2)
    gallery.split_person("people", "Ann", [face], name="Cem")
    assert seen("Cem") == CROP
    with pytest.raises(NotFound, match="has no face"):
        seen("Ann")
    gallery.undo("people")
    assert seen("Ann") == CROP
    assert gallery.image("people", other, person="Bob", kind="photo") == PHOTO


def test_an_image_is_sealed_with_the_persons_key_and_bound_to_its_face(gallery):
    group(gallery)
    face, other = enrol(gallery), enrol(gallery, "Ann", 1)
    with gallery._database.writing() as connection:
        table = face_images.c
        sealed = connection.execute(
            sa.select(table.face_seq, table.sealed).where(table.kind == "crop")
        ).all()
        assert all(CROP.data[:16] not in bytes(row.sealed) for row in sealed)
        connection.execute(
            face_images.update()
            .where(table.face_seq == sealed[1].face_seq, table.kind == "crop")
            .values(sealed=sealed[0].sealed)
        )
    assert gallery.image("people", face) == CROP
    with pytest.raises(KeyMismatch):
        gallery.image("people", other)


def test_no_bytes_of_an_image_lie_in_the_file_or_its_log_and_none_after_erasure(tmp_path):
    def everything():
        return b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    with Gallery.open(f"sqlite:///{tmp_path / 'g.db'}") as gallery:
        group(gallery)
        enrol(gallery)
        with gallery._database.reading() as connection:
            sealed = [
                bytes(one) for one in connection.execute(sa.select(face_images.c.sealed)).scalars()
            ]
        for image in (CROP, PHOTO):
            assert not any(image.data[i : i + 24] in everything() for i in range(0, 500, 24))
        assert all(blob[13:213] in everything() for blob in sealed)
        exported = gallery.privacy.export("people", "Ann")["images"]
        assert [one["kind"] for one in exported] == ["crop", "photo"]
        assert gallery.privacy.erase("people", "Ann").images == 2
        assert not any(blob[13:213] in everything() for blob in sealed)


def test_a_refused_face_leaves_no_image(url):
    with Gallery.open(url, limits=GalleryLimits(faces_per_group=1)) as gallery:
        group(gallery)
        enrol(gallery)
        with pytest.raises(LimitExceeded):
            enrol(gallery, "Bob", 1)
        assert rows(gallery) == 2


def test_the_limit_of_an_image_is_exact(url):
    limits = GalleryLimits(image_bytes=len(CROP.data))
    with Gallery.open(url, limits=limits) as gallery:
        group(gallery, "crops")
        enrol(gallery)
        long = FaceImage("crop", "image/jpeg", CROP.data + b"x")
        with pytest.raises(LimitExceeded, match="may have"):
            enrol(gallery, "Bob", 1, images=[[long]])
        assert gallery.size("people") == 1


@pytest.mark.parametrize(
    "wrong",
    [("face", "image/jpeg", b"x"), ("crop", "text/html", b"x"), ("crop", "image/jpeg", b"")],
)
def test_an_image_that_is_none_is_refused(wrong):
    with pytest.raises(InvalidArgument):
        FaceImage(*wrong)


def test_questions_that_cannot_be(gallery):
    group(gallery)
    face = enrol(gallery)
    with pytest.raises(InvalidArgument, match="lists of images"):
        enrol(gallery, "Bob", 1, images=[])
    with pytest.raises(InvalidArgument, match="kind"):
        gallery.image("people", face, kind="video")
    gallery.create_application("other")
    with pytest.raises(NotFound):
        gallery.for_application("other").image("people", face)
