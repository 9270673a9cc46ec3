"""analyze."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from mien.analysis.appearance import Race, RaceName
from mien.compat import deepface as DeepFace  # noqa: N812
from mien.compat.deepface import demography
from mien.testing import drawn_face, drawn_photo


def bgr(identity: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(drawn_face(identity)[..., ::-1])


def test_the_answer_has_deepfaces_keys_and_percentages() -> None:
    (face,) = DeepFace.analyze(bgr(1))
    assert set(face) == {
        "emotion",
        "dominant_emotion",
        "age",
        "gender",
        "dominant_gender",
        "region",
        "face_confidence",
    }
    assert face["age"] == 31
    assert face["gender"] == pytest.approx({"Woman": 20, "Man": 80})
    assert (face["dominant_gender"], face["dominant_emotion"]) == ("Man", "happy")
    assert face["emotion"]["happy"] == pytest.approx(70)
    assert sum(face["emotion"].values()) == pytest.approx(100)
    assert (face["region"]["x"], face["region"]["w"]) == (100, 120)
    json.dumps(face)


def test_only_what_is_asked_for_is_answered_and_measured(attributes: list[SimpleNamespace]) -> None:
    (face,) = DeepFace.analyze(bgr(1), "age")
    assert set(face) == {"age", "region", "face_confidence"}
    assert [len(one.seen) for one in attributes] == [1, 0, 0]


def test_several_images_and_several_faces() -> None:
    couple = drawn_photo([(1, 20, 20, 120), (2, 200, 40, 100)], (200, 340))[..., ::-1]
    assert [len(faces) for faces in DeepFace.analyze([bgr(1), couple], ["age"])] == [1, 2]
    assert [len(faces) for faces in DeepFace.analyze([bgr(1)], ["age"])] == [1]
    assert DeepFace.analyze([], ["age"]) == []
    assert len(DeepFace.analyze(np.stack([bgr(1), bgr(2)]), ("age",))) == 2


@pytest.mark.parametrize("actions", [[], (), 3, {"age": 1}, None])
def test_actions_that_are_no_list(actions: object) -> None:
    with pytest.raises(DeepFace.exceptions.DataTypeError, match="list of strings"):
        DeepFace.analyze(bgr(1), actions)  # type: ignore[arg-type]


@pytest.mark.parametrize("action", ["height", "Age", None])
def test_actions_that_there_are_not(action: object) -> None:
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="Valid actions"):
        DeepFace.analyze(bgr(1), [action])  # type: ignore[list-item]


def test_race_is_not_answered_unasked() -> None:
    assert "race" not in DeepFace.analyze(bgr(1))[0]


def test_fairfaces_groups_become_deepfaces() -> None:
    scores = {
        "white": 0.1,
        "black": 0.05,
        "indian": 0.05,
        "east_asian": 0.3,
        "southeast_asian": 0.2,
        "middle_eastern": 0.1,
        "latino_hispanic": 0.2,
    }
    assert set(scores) == set(get_args(RaceName))
    told = demography.told("race", Race("east_asian", scores))  # type: ignore[arg-type]
    assert told["dominant_race"] == "asian"
    assert told["race"] == pytest.approx(
        {
            "asian": 50,
            "indian": 5,
            "black": 5,
            "white": 10,
            "middle eastern": 10,
            "latino hispanic": 20,
        }
    )
