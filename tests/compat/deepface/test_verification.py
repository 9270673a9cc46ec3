"""verify, its distances, its thresholds and its confidence."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien import errors
from mien.compat import deepface as DeepFace  # noqa: N812
from mien.compat.deepface import engines, thresholds
from mien.compat.deepface.options import Options
from mien.compat.deepface.thresholds import DEEPFACE, converted, decide
from mien.compat.deepface.verification import find_confidence, find_distance, find_threshold
from mien.match.metrics import METRICS
from mien.testing import drawn_face, drawn_photo

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())


def bgr(identity: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(drawn_face(identity)[..., ::-1])


def test_the_answer_has_deepfaces_keys_and_plain_values() -> None:
    answer = DeepFace.verify(bgr(1), bgr(1))
    assert list(answer) == [
        "verified",
        "distance",
        "threshold",
        "confidence",
        "model",
        "detector_backend",
        "similarity_metric",
        "facial_areas",
        "time",
    ]
    assert answer["verified"] is True
    assert answer["distance"] == 0
    assert (answer["model"], answer["detector_backend"]) == ("mock", "mock")
    area = answer["facial_areas"]["img1"]
    assert (area["x"], area["y"], area["w"], area["h"]) == (100, 60, 120, 120)
    json.dumps(answer)


def test_left_and_right_are_the_persons_own() -> None:
    area = DeepFace.verify(bgr(1), bgr(1))["facial_areas"]["img1"]
    assert area["left_eye"][0] > area["nose"][0] > area["right_eye"][0]
    assert area["mouth_left"][0] > area["mouth_right"][0]
    assert area["mouth_left"][1] > area["nose"][1] > area["left_eye"][1]
    assert all(type(v) is int for v in area["left_eye"])


def test_the_closest_pair_of_faces_decides() -> None:
    both = drawn_photo([(1, 20, 20, 120), (2, 200, 40, 100)], (200, 340))[..., ::-1]
    answer = DeepFace.verify(bgr(2), both)
    assert answer["verified"]
    assert answer["facial_areas"]["img2"]["x"] == 200
    assert not DeepFace.verify(bgr(3), both)["verified"]


def test_embeddings_stand_for_photos() -> None:
    one = DeepFace.represent(bgr(1))[0]["embedding"]
    other = DeepFace.represent(bgr(2))[0]["embedding"]
    answer = DeepFace.verify(one, other)
    assert answer["distance"] == DeepFace.verify(bgr(1), bgr(2))["distance"]
    assert answer["facial_areas"]["img1"] == dict.fromkeys(
        ("x", "y", "w", "h", "left_eye", "right_eye")
    )
    assert find_distance(one, other) == answer["distance"]


@pytest.mark.parametrize(
    ("embedding", "kind", "words"),
    [
        (["a", "b"], "DataTypeError", "When passing img1_path as a list"),
        ([[1.0, 2.0]], "DataTypeError", "all its items are of type float"),
        ([], "DimensionMismatchError", "64 dimensions, but 1-th image has 0"),
        ([1.0, 2.0], "DimensionMismatchError", "embeddings of mock should have 64 dimensions"),
    ],
)
def test_lists_that_are_no_embeddings(embedding: list[object], kind: str, words: str) -> None:
    with pytest.raises(getattr(DeepFace.exceptions, kind), match=words):
        DeepFace.verify(embedding, bgr(1))


def test_a_photo_without_a_face_is_taken_whole_if_that_is_wanted() -> None:
    nobody = np.full((90, 160, 3), 225, np.uint8)
    answer = DeepFace.verify(bgr(1), nobody, enforce_detection=False)
    assert answer["facial_areas"]["img2"] == {
        "x": 0,
        "y": 0,
        "w": 160,
        "h": 90,
        "left_eye": None,
        "right_eye": None,
    }


def test_the_callers_threshold_decides_but_does_not_move_the_confidence() -> None:
    usual = DeepFace.verify(bgr(1), bgr(2))
    lax = DeepFace.verify(bgr(1), bgr(2), threshold=1.9)
    assert (usual["verified"], lax["verified"]) == (False, True)
    assert lax["confidence"] == usual["confidence"] < 50
    assert DeepFace.verify(bgr(1), bgr(1), threshold=0)["threshold"] == 0
    assert DeepFace.verify(bgr(1), bgr(1), threshold=0)["verified"]


@pytest.mark.parametrize("threshold", ["0.4", True, float("nan"), [1]])
def test_thresholds_that_are_none(threshold: object) -> None:
    with pytest.raises(errors.InvalidArgument, match="threshold is a number"):
        DeepFace.verify(bgr(1), bgr(1), threshold=threshold)  # type: ignore[arg-type]


def test_a_metric_of_the_callers_own() -> None:
    def apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(np.abs(a - b).max())

    answer = DeepFace.verify(bgr(1), bgr(2), distance_metric=apart, threshold=0.01)
    assert answer["similarity_metric"] is apart
    assert not answer["verified"]
    assert answer["confidence"] < 50
    with pytest.raises(ValueError, match="Threshold must be specified"):
        DeepFace.verify(bgr(1), bgr(2), distance_metric=apart)
    batch = DeepFace.verify(
        bgr(1), bgr(2), distance_metric=lambda a, b: np.array([[0.25]]), threshold=0.3
    )
    assert batch["distance"] == 0.25
    for answer in ("far", [1, 2], None):
        with pytest.raises(DeepFace.exceptions.InvalidEmbeddingsShapeError, match="one number"):
            DeepFace.verify(bgr(1), bgr(2), distance_metric=lambda a, b: answer, threshold=1)  # noqa: B023


def test_an_unknown_metric() -> None:
    with pytest.raises(errors.UnknownMetric, match="euclidean_l2"):
        DeepFace.verify(bgr(1), bgr(1), distance_metric="manhattan")


@pytest.mark.parametrize("case", GOLDEN["distances"], ids=lambda case: case["metric"])
def test_distances_are_deepfaces(case: dict[str, object]) -> None:
    a, b = np.array(GOLDEN["a"]), np.array(GOLDEN["b"])
    batch = find_distance(a, b, case["metric"])  # type: ignore[arg-type]
    assert np.allclose(batch, case["distances"], atol=1.5e-6)
    single = find_distance(a[2].tolist(), b[1].tolist(), case["metric"])  # type: ignore[arg-type]
    assert single == pytest.approx(batch[1, 2], abs=1e-6)
    with pytest.raises(DeepFace.exceptions.InvalidEmbeddingsShapeError):
        find_distance(a, b[0], case["metric"])  # type: ignore[arg-type]


@pytest.mark.parametrize(("one", "other"), [*itertools.product(METRICS, METRICS)])
def test_distances_convert_as_vectors_of_one_length_do(one: str, other: str) -> None:
    rng = np.random.default_rng(3)
    a, b = (v / np.linalg.norm(v) * 7 for v in rng.normal(size=(2, 32)))
    there = converted(find_distance(a, b, one), one, other, 7.0)
    assert there == pytest.approx(find_distance(a, b, other), abs=2e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_the_confidence_is_continuous_falls_and_is_fifty_at_the_threshold(metric: str) -> None:
    threshold = find_threshold("mock", metric)
    assert find_confidence(threshold, "mock", True, metric) == pytest.approx(50, abs=0.02)
    distances = np.linspace(0, 2 * threshold, 400)
    values = [find_confidence(float(d), "mock", False, metric) for d in distances]
    assert all(a >= b for a, b in itertools.pairwise(values))
    assert max(a - b for a, b in itertools.pairwise(values)) < 6
    assert values[0] > 95
    assert values[-1] < 5


def test_a_calibrated_model_decides_at_one_false_match_in_a_thousand() -> None:
    assert find_threshold("mock") == pytest.approx(0.4)  # similarity 0.6, see mock_calibration
    assert find_threshold("mock", "euclidean_l2") == pytest.approx(math.sqrt(0.8), abs=1e-6)


@pytest.mark.parametrize("name", DEEPFACE)
def test_without_a_calibration_the_threshold_is_deepfaces(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = engines.backend(Options())
    theirs = thresholds.RECOGNISERS[name]
    chosen = engines.Backend(chosen.engine, theirs, "mock", name, "mock")
    monkeypatch.setattr(engines.Backend, "calibration", property(lambda self: None))
    for metric in METRICS:
        decision = decide(chosen, Options(), metric)
        assert decision.threshold == DEEPFACE[name][metric]
        assert decision.confidence(decision.threshold) == 50
        assert decision.confidence(0) == 99
        assert decision.confidence(decision.threshold * 2) == 1


def test_a_mode_asks_for_deepfaces_threshold() -> None:
    chosen = engines.backend(Options())
    chosen = engines.Backend(chosen.engine, "sface", "mock", "SFace", "mock")
    assert decide(chosen, Options(normalization="base"), "cosine").threshold == 0.593
    assert decide(chosen, Options(), "cosine").threshold == pytest.approx(0.4)


def test_a_model_that_nobody_has_a_threshold_for() -> None:
    options = Options(normalization="raw")
    with pytest.raises(errors.InvalidArgument, match="give threshold="):
        decide(engines.backend(options), options, "cosine")
    assert decide(engines.backend(options), options, "cosine", 0.3).confidence(0.3) == 50
