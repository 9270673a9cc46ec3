"""Crops to train on: the same seed, the same crops; people apart; teachers asked as at run time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien.errors import ConfigurationError, InvalidArgument
from mien.liveness.crop import cut_context
from mien.train.attacks import KINDS, Parts, Taken
from mien.train.liveness.config import Crops, Photos, Recipe, read_run
from mien.train.liveness.crops import Mixture, chosen, make, read
from mien.train.liveness.judge import judge
from mien.train.liveness.photos import Sample, _without_held_out, part_of_person
from mien.train.liveness.teachers import live_score
from mien.types import Box

MIXTURE = Mixture(dict.fromkeys(KINDS, 1.0))


def sample(seed, split="train"):
    random = np.random.default_rng(seed)
    rough = random.integers(0, 255, (8, 8, 3), np.uint8)
    pixels = cv2.resize(rough, (200, 220), interpolation=cv2.INTER_CUBIC)
    return Sample(Taken(pixels, Box(60, 60, 130, 150)), split, "drawn")


FACES = [sample(1), sample(2), sample(3, "test"), sample(4, "validation")]


def test_the_same_seed_gives_the_same_crops(tmp_path):
    one, same = (
        make(FACES, "train", 6, tmp_path / name, spec=Crops(), mixture=MIXTURE, processes=0)
        for name in ("a", "b")
    )
    assert one.pixels.shape == (18, 2, 80, 80, 3)
    np.testing.assert_array_equal(one.pixels, same.pixels)
    np.testing.assert_array_equal(one.kind, same.kind)
    other = make(
        FACES, "train", 6, tmp_path / "c", spec=Crops(seed=6), mixture=MIXTURE, processes=0
    )
    assert (one.pixels != other.pixels).any()
    assert len(read(tmp_path / "a", "train")) == 18


def test_a_test_is_looked_at_once_and_has_its_own_faces(tmp_path):
    made = make(FACES, "test", 5, tmp_path, spec=Crops(), mixture=MIXTURE, processes=0)
    assert len(made) == 5
    assert (made.context >= 1).all()


def test_kinds_that_are_left_out(tmp_path):
    mixture = Mixture({"phone": 1.0}, Parts.without("grid"))
    crops = make(
        FACES, "train", 8, tmp_path, spec=Crops(live_share=0.5), mixture=mixture, processes=0
    )
    assert {*crops.kind[crops.attack]} == {"phone"}
    said = np.arange(len(crops))[:, None]
    left, answers = chosen(crops, said, leave_out=["phone"], limit=4)
    assert not left.attack.any()
    assert len(left) == len(answers) == min(4, int((~crops.attack).sum()))
    np.testing.assert_array_equal(left.pixels[0], crops.pixels[int(answers[0, 0])])


@pytest.mark.parametrize(
    ("faces", "mixture"), [([], MIXTURE), (FACES, Mixture({"hologram": 1.0}))], ids=["none", "kind"]
)
def test_nothing_to_draw(faces, mixture, tmp_path):
    with pytest.raises(InvalidArgument):
        make(faces, "train", 2, tmp_path, spec=Crops(), mixture=mixture, processes=0)


def test_somebody_is_in_one_part_only():
    photos = Photos((), (), ("lfw",))
    parts = {name: part_of_person(name, photos) for name in map(str, range(2000))}
    share = {part: list(parts.values()).count(part) / 2000 for part in ("test", "validation")}
    assert share["test"] == pytest.approx(0.25, abs=0.04)
    assert share["validation"] == pytest.approx(0.12, abs=0.03)


def test_who_looks_like_somebody_held_out_is_not_trained_on():
    faces = [sample(1), sample(2), sample(3, "validation"), sample(4, "test")]
    embeddings = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.9, 0.1, 0]])
    assert _without_held_out(faces, embeddings, 0.5) == faces[1:]


def test_the_mean_of_both_teachers():
    logits = np.log([[[1, 2, 1], [1, 6, 1]]])
    assert live_score(logits) == pytest.approx([(0.5 + 0.75) / 2])


def test_a_judgement(tmp_path):
    crops = make(FACES, "test", 40, tmp_path, spec=Crops(), mixture=MIXTURE, processes=0)
    crops.context[:] = 2
    teacher = np.linspace(0, 1, 40)
    student = teacher**2
    told = judge(student, teacher, crops, threshold=0.25, teacher_threshold=0.5)
    assert (told.n, told.agreement) == (40, 1.0)
    assert told.fidelity == pytest.approx(1)
    assert told.bpcer == told.teacher_bpcer == pytest.approx((teacher < 0.5)[~crops.attack].mean())
    assert told.apcer == told.teacher_apcer
    turned = judge(1 - teacher, teacher, crops, threshold=0.5, teacher_threshold=0.5)
    assert turned.fidelity == pytest.approx(-1)
    crops.context[:20] = 1.2  # too little around the face
    assert judge(student, teacher, crops, threshold=0.25, teacher_threshold=0.5).n == 20


def test_crops_are_those_of_the_run_time(tmp_path):
    """Without a camera, a live picture's crop is what the nets get to see of the photo."""
    bare = Mixture({}, Parts.without("camera"))
    crops = make(
        FACES, "test", 6, tmp_path, spec=Crops(live_share=1, jitter=0), mixture=bare, processes=0
    )
    photo, box = FACES[2].taken.pixels, FACES[2].taken.face
    turned = Box(200 - box.x1, box.y0, 200 - box.x0, box.y1)
    wanted = [cut_context(photo, box, 2.7, 80), cut_context(photo[:, ::-1], turned, 2.7, 80)]
    found = [any((crop[0] == one).all() for one in wanted) for crop in crops.pixels]
    assert any(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[photos", "cannot be read"),
        ("[photos]\ntrain = []", "lacks"),
        ("[photos]\ntrain = 3\nheld_out = []\nby_person = []", r"photos\.train"),
        ("[photos]\ntrain = []\nheld_out = []\nby_person = []\n[recipe]\nrates = 1", "rates"),
        ("[photos]\ntrain = []\nheld_out = []\nby_person = []\n[crops]\ntrain = 1.5", "train"),
        ("[extra]", "extra"),
    ],
    ids=["torn", "lacking", "type", "key", "number", "table"],
)
def test_a_configuration_that_is_wrong(text, said, tmp_path):
    (tmp_path / "c.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_run(tmp_path / "c.toml")


def test_the_shipped_configuration():
    from importlib.resources import files

    run = read_run(files("mien.train.liveness").joinpath("student.toml"))
    assert {*run.weights} == {*KINDS}
    assert run.photos.held_out == ("deepface", "compreface")
    assert "spoof_minivision" not in {*run.photos.train, *run.photos.by_person}
    assert run.recipe.keep > 0
    assert isinstance(run.recipe, Recipe)
