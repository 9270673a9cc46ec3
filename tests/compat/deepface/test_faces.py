"""represent, extract_faces, detectFace, and DeepFace's own preprocessing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien import errors
from mien.align.cropping import Preprocessing
from mien.align.normalisation import normalise
from mien.compat import deepface as DeepFace  # noqa: N812
from mien.compat.deepface.literal import forward, literal_embeddings, prepared
from mien.embed import create
from mien.engine import Engine
from mien.models import ModelStore
from mien.testing import drawn_face, drawn_photo
from mien.types import Box, Embeddings, Face

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())


def bgr(identity: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(drawn_face(identity)[..., ::-1])


def couple() -> NDArray[np.uint8]:
    photo = drawn_photo([(1, 20, 20, 120), (2, 200, 40, 100)], (200, 340))
    return np.ascontiguousarray(photo[..., ::-1])


# ---------------------------------------------------------------- represent


def test_represent_gives_plain_raw_embeddings() -> None:
    (one,) = DeepFace.represent(bgr(1))
    assert list(one) == ["embedding", "facial_area", "face_confidence"]
    assert len(one["embedding"]) == 64
    assert one["face_confidence"] == 0.99
    assert np.linalg.norm(one["embedding"]) == pytest.approx(12.6, abs=1)  # the contrast
    json.dumps(one)
    (unit,) = DeepFace.represent(bgr(1), l2_normalize=True)
    assert np.linalg.norm(unit["embedding"]) == pytest.approx(1)


def test_several_images_are_answered_one_by_one() -> None:
    photos = [bgr(1), couple()]
    several = DeepFace.represent(photos)
    assert [len(faces) for faces in several] == [1, 2]
    assert several[0] == DeepFace.represent(photos[0])
    array = DeepFace.represent(np.stack([bgr(1), bgr(2)]))
    assert [len(faces) for faces in array] == [1, 1]
    assert DeepFace.represent([bgr(1)]) == DeepFace.represent(bgr(1))  # as in DeepFace
    with pytest.raises(errors.InvalidArgument, match="no image"):
        DeepFace.represent([])


def test_the_largest_faces_first_and_no_more_than_wanted() -> None:
    areas = [face["facial_area"]["w"] for face in DeepFace.represent(couple())]
    assert areas == [120, 100]
    assert [f["facial_area"]["w"] for f in DeepFace.represent(couple(), max_faces=1)] == [120]


def test_the_crop_comes_along_if_wanted() -> None:
    (one,) = DeepFace.represent(bgr(1), return_face=True)
    assert one["face"].shape == (120, 120, 3)
    assert 0 <= one["face"].min() < one["face"].max() <= 1


def test_numbers_are_squeezed_for_models_with_known_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    from mien.compat.deepface import representation

    same = DeepFace.represent(bgr(1), minmax_normalize=True)[0]["embedding"]
    assert same == DeepFace.represent(bgr(1))[0]["embedding"]
    monkeypatch.setitem(representation._RANGES, "mock", (-1.0, 1.0))
    squeezed = np.array(DeepFace.represent(bgr(1), minmax_normalize=True)[0]["embedding"])
    assert np.allclose(squeezed, (np.clip(same, -1, 1) + 1) / 2)


def test_skip_takes_the_picture_whole_with_width_and_height_in_their_places() -> None:
    crop = np.ascontiguousarray(bgr(1)[60:180, 100:220])
    wide = np.pad(crop, ((0, 0), (0, 80), (0, 0)), constant_values=225)
    (one,) = DeepFace.represent(wide, detector_backend="skip")
    area = one["facial_area"]
    assert (area["x"], area["y"], area["w"], area["h"]) == (0, 0, 200, 120)
    assert one["face_confidence"] == 0
    (cut,) = DeepFace.extract_faces(wide, detector_backend="skip", expand_percentage=50)
    assert np.allclose(cut["face"] * 255, wide[..., ::-1])
    found = DeepFace.represent(bgr(1))[0]["embedding"]
    skipped = DeepFace.represent(crop, detector_backend="skip")[0]["embedding"]
    assert DeepFace.verification.find_distance(found, skipped) < 0.05


def test_cropping_options_change_the_embedding_and_find_the_person() -> None:
    usual = DeepFace.represent(bgr(1))[0]["embedding"]
    for options in ({"align": False}, {"expand_percentage": 10}):
        (one,) = DeepFace.represent(bgr(1), **options)
        assert one["embedding"] != usual
        assert one["facial_area"] == DeepFace.represent(bgr(1))[0]["facial_area"]
    assert DeepFace.verify(bgr(1), bgr(1), align=False)["verified"]
    assert DeepFace.represent(bgr(1), expand_percentage=-5)[0]["embedding"] == usual


def test_a_recogniser_that_cannot_be_fed_refuses_modes() -> None:
    with pytest.raises(ValueError, match="leave normalization out"):
        DeepFace.represent(bgr(1), normalization="base")


# ---------------------------------------------------------------- DeepFace's own pipeline


def golden_photo() -> NDArray[np.uint8]:
    """The picture that the golden numbers were made of."""
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (180, 200, 3), dtype=np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.asarray(cv2.normalize(blurred, blurred, 0, 255, cv2.NORM_MINMAX))


@pytest.mark.parametrize(
    "case",
    GOLDEN["inputs"],
    ids=lambda case: f"{case['mode']}-{case['align']}-{case['expand']}",
)
def test_inputs_are_deepfaces(case: dict[str, Any]) -> None:
    points = np.array([[80, 84], [110, 75], [95, 90], [82, 110], [108, 108]], np.float32)
    face = Face(Box(60, 50, 130, 130), 0.9, points)
    cutting = Preprocessing(
        align="eyes" if case["align"] else "none", expand_percentage=case["expand"]
    )
    crop = prepared(golden_photo(), face, (112, 112), cutting)
    flat = normalise(crop[None], case["mode"], colour="bgr").astype(np.float64).reshape(-1)
    sample = np.array(case["sample"])
    scale = max(1.0, float(np.abs(sample).max()))
    # DeepFace turned it with OpenCV 5.0.0; 4.14 gives up to 3 of 255 more or less for the same
    # call of warpAffine.
    tolerance = 3 / 255 if case["align"] else 1e-5
    assert np.abs(flat[::4001] - sample).max() < tolerance * scale
    assert abs(flat.mean() - case["sum"] / len(flat)) < tolerance / 20 * scale


class Fed:
    """A recognition model that remembers what it was fed."""

    metric = "cosine"

    def __init__(self, name: str) -> None:
        self.name = name
        self.inputs = np.zeros(0)

    def forward(self, inputs: NDArray[np.float32]) -> Embeddings:
        self.inputs = inputs
        return Embeddings(np.ones((len(inputs), 4), np.float32) / 2, np.full(len(inputs), 6.0, "f"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("facenet", (0.25, 0.5, 0.75)), ("sface", (191, 127, 63)), ("dlib", (191, 127, 63)),
     ("buffalo_l", (0.5, 0.0, -0.5))],
)  # fmt: skip
def test_each_client_feeds_its_net(name: str, expected: tuple[float, ...]) -> None:
    model = Fed(name)
    inputs = np.full((2, 3, 3, 3), (0.25, 0.5, 0.75), np.float32)  # blue, green, red
    raw = forward(model, inputs)  # type: ignore[arg-type]
    assert np.allclose(model.inputs[0, 0, 0], expected, atol=0.002)
    assert np.allclose(raw, 3)


@pytest.mark.parametrize(("name", "value"), [("sface", 200 * 255 % 256), ("dlib", 200)])
def test_modes_that_do_not_suit_a_client_give_what_deepface_makes_of_them(
    name: str, value: int
) -> None:
    model = Fed(name)
    forward(model, np.full((1, 2, 2, 3), 200, np.float32))  # type: ignore[arg-type]
    assert (model.inputs == value).all()
    forward(model, np.full((1, 2, 2, 3), -3 / 255, np.float32))  # type: ignore[arg-type]
    assert (model.inputs == 253).all()


@pytest.mark.parametrize("mode", GOLDEN["dlib"])
def test_dlibs_embedding_is_deepfaces(mode: str, models: ModelStore) -> None:
    """DeepFace 0.0.103 with dlib 20.0.1: represent(picture, "Dlib", detector_backend="skip")."""
    embedder = create("dlib", models)
    height, width = golden_photo().shape[:2]
    whole = Face(Box(0, 0, width, height), 1.0)
    cutting = Preprocessing(align="none")
    (found,) = literal_embeddings(embedder, golden_photo(), [whole], cutting, mode)  # type: ignore[arg-type]
    theirs = np.array(GOLDEN["dlib"][mode])
    # Where numbers wrap around, a grey level that is rounded otherwise becomes another colour.
    tolerance = 2e-5 if mode in ("base", "raw") else 2e-3
    assert DeepFace.verification.find_distance(found, theirs) < tolerance


# ---------------------------------------------------------------- extract_faces


def test_faces_are_cut_out_and_coloured() -> None:
    (face,) = DeepFace.extract_faces(bgr(1), align=False)
    assert list(face) == ["face", "facial_area", "confidence"]
    assert np.allclose(face["face"] * 255, drawn_face(1)[60:180, 100:220])
    (face,) = DeepFace.extract_faces(bgr(1))
    assert face["face"].shape == (120, 120, 3)
    (blue_first,) = DeepFace.extract_faces(bgr(1), color_face="bgr", normalize_face=False)
    assert blue_first["face"].dtype == np.uint8
    assert np.allclose(blue_first["face"][..., ::-1] / 255, face["face"])
    (grey,) = DeepFace.extract_faces(bgr(1), color_face="gray")
    assert grey["face"].shape == (120, 120)
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="rgb, bgr or gray"):
        DeepFace.extract_faces(bgr(1), color_face="red")


def test_lists_of_one_stay_lists() -> None:
    assert len(DeepFace.extract_faces([bgr(1)])[0]) == 1
    assert DeepFace.extract_faces([]) == []


def test_an_extracted_face_can_be_given_on() -> None:
    (face,) = DeepFace.extract_faces(bgr(1), color_face="bgr")
    answer = DeepFace.verify(face["face"], bgr(1), detector_backend="skip")
    assert answer["facial_areas"]["img1"]["w"] == 120
    again = DeepFace.represent(face["face"], detector_backend="skip")[0]["embedding"]
    assert DeepFace.verify(again, bgr(1))["verified"]


def test_boxes_stay_inside_the_photo() -> None:
    photo = drawn_photo([(1, 0, 0, 120)], (120, 120))[..., ::-1]
    area = DeepFace.extract_faces(photo)[0]["facial_area"]
    assert area["x"] + area["w"] < 120
    assert area["y"] + area["h"] < 120


def test_detect_face_is_letterboxed_and_high_before_wide() -> None:
    with pytest.warns(DeprecationWarning, match="extract_faces"):
        face = DeepFace.detectFace(bgr(1), target_size=(100, 160))
    assert face.shape == (1, 100, 160, 3)
    assert face[0, :, 0].max() == 0  # the bars are at the sides
    assert face[0, 50, 80].max() > 0
    for size in ((0, 3), (3,), "ab", (1e9, 1)):
        with (
            pytest.warns(DeprecationWarning, match="extract_faces"),
            pytest.raises(errors.InvalidArgument, match="target_size"),
        ):
            DeepFace.detectFace(bgr(1), target_size=size)


# ---------------------------------------------------------------- build_model


def test_models_can_be_fed_by_hand(drawn: dict[str, Engine]) -> None:
    model = DeepFace.build_model("mock")
    assert model is DeepFace.build_model("mock")
    assert (model.input_shape, model.output_shape, model.model_name) == ((112, 112), 64, "mock")
    with pytest.raises(DeepFace.exceptions.InvalidEmbeddingsShapeError, match=r"\(n, 112, 112"):
        model.forward(np.zeros((5, 5, 3)))
    (found,) = DeepFace.build_model("mock", task="face_detector").detect_faces(bgr(1))
    assert (found.x, found.y, found.w, found.h, found.confidence) == (100, 60, 120, 120, 0.99)
    assert DeepFace.build_model("mock", "face_detector").detect_faces(bgr(1)[:40, :40]) == []


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("Age", 31.7),
        ("Gender", [0.2, 0.8]),
        ("Emotion", [0.1, 0, 0, 0.7, 0.2, 0, 0]),
    ],
)
def test_attributes_of_crops(name: str, answer: object) -> None:
    model = DeepFace.build_model(name, task="facial_attribute")
    assert model.predict(bgr(1)) == pytest.approx(answer)
    assert np.allclose(model.predict([bgr(1), bgr(2)]), [answer, answer])


def test_models_that_there_are_not() -> None:
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="unimplemented task"):
        DeepFace.build_model("mock", "love")
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="mock"):
        DeepFace.build_model("mok")
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="Shoes"):
        DeepFace.build_model("Shoes", "facial_attribute")
