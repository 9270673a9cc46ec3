"""The functions, their parameters, their older calls and the errors that they raise."""

from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mien import errors
from mien.compat import deepface as DeepFace  # noqa: N812 - as its users call it
from mien.compat.deepface.exceptions import error, translated
from mien.compat.deepface.surface import public
from mien.testing import drawn_face


def bgr(identity: int) -> NDArray[np.uint8]:
    """A drawn face as OpenCV's users have it."""
    return np.ascontiguousarray(drawn_face(identity)[..., ::-1])


def nobody() -> NDArray[np.uint8]:
    return np.full((120, 160, 3), 225, np.uint8)


THEIRS = json.loads((Path(__file__).parent / "signatures.json").read_text())["functions"]

# What a default cannot be here, and what it is instead.
OTHER_DEFAULTS = {
    "model_name": None,
    "detector_backend": None,
    "normalization": None,
    "database_type": "sqlite",
}


@pytest.mark.parametrize("name", THEIRS)
def test_parameters_are_deepfaces(name: str) -> None:
    ours = inspect.signature(getattr(DeepFace, name)).parameters.values()
    assert [(p.name, p.kind.name) for p in ours] == [(p["name"], p["kind"]) for p in THEIRS[name]]


@pytest.mark.parametrize("name", THEIRS)
def test_defaults_are_deepfaces_where_they_can_be(name: str) -> None:
    ours = inspect.signature(getattr(DeepFace, name)).parameters
    for theirs in THEIRS[name]:
        expected = theirs.get("default", inspect.Parameter.empty)
        if theirs["name"] in OTHER_DEFAULTS and "default" in theirs:
            expected = OTHER_DEFAULTS[theirs["name"]]
        elif isinstance(expected, list):
            expected = tuple(item for item in expected if item != "race")
        if name == "detectFace" and theirs["name"] == "target_size":
            expected = (224, 224)
        assert ours[theirs["name"]].default == expected, theirs["name"]


def test_the_surface_is_whole() -> None:
    assert set(THEIRS) <= set(DeepFace.__all__)
    for name in DeepFace.__all__:
        assert getattr(DeepFace, name) is not None
    assert set(DeepFace.__all__) <= set(dir(DeepFace))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = DeepFace.nothing


def test_importing_it_pulls_in_nothing_heavy() -> None:
    code = (
        "import sys; from mien.compat import deepface; "
        "print([m for m in ('numpy','cv2','onnxruntime','pandas','httpx','sqlalchemy') "
        "if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "call",
    [
        lambda: DeepFace.analyze(bgr(1), ["age"], model_name="VGG-Face", prog_bar=False),
        lambda: DeepFace.analyze(bgr(1), ["age"], models={}),
        lambda: DeepFace.represent(bgr(1), model=None),
        lambda: DeepFace.extract_faces(bgr(1), target_size=(224, 224)),
        lambda: DeepFace.extract_faces(bgr(1), grayscale=True),
        lambda: DeepFace.verify(bgr(1), bgr(1), prog_bar=True),
        lambda: DeepFace.detectFace(bgr(1)),
    ],
)
def test_older_calls_warn_and_work(call: object) -> None:
    with pytest.warns(DeprecationWarning, match="ignored|called|deprecated") as told:
        assert len(call())  # type: ignore[operator]
    assert told[0].filename == __file__


def test_parameters_that_never_were_are_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        DeepFace.verify(bgr(1), bgr(1), colour="red")


def test_a_renamed_parameter_is_passed_on_once() -> None:
    @public(old="new")
    def function(new: int) -> int:
        return new

    with pytest.warns(DeprecationWarning, match="is called new now"):
        assert function(old=3) == 3  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="both"):
        function(new=1, old=3)  # type: ignore[call-arg]


def test_one_error_is_three() -> None:
    with pytest.raises(DeepFace.exceptions.FaceNotDetected) as caught:
        DeepFace.verify(bgr(1), nobody())
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, errors.NoFaceFound)
    assert caught.value.code == "no_face"
    assert caught.value.details == {"image": "img2_path"}
    assert "img2_path" in str(caught.value)


@pytest.mark.parametrize(
    ("mien", "theirs"),
    [
        (errors.ImageDecodeError, DeepFace.exceptions.ImgNotFound),
        (errors.ImageTooLarge, DeepFace.exceptions.ImgNotFound),
        (errors.NoFaceFound, DeepFace.exceptions.FaceNotDetected),
        (errors.UnknownModel, DeepFace.exceptions.UnimplementedError),
        (errors.AlreadyExists, DeepFace.exceptions.DuplicateEntryError),
        (errors.EmbeddingMismatch, DeepFace.exceptions.DimensionMismatchError),
        (errors.ModelUnavailable, ValueError),
        (errors.GalleryUnavailable, ValueError),
    ],
)
def test_every_error_of_mien_is_a_value_error(
    mien: type[errors.MienError], theirs: type[ValueError]
) -> None:
    said = translated(mien("It is so.", details={"limit": 3}))
    assert isinstance(said, mien)
    assert isinstance(said, theirs)
    assert translated(said) is said
    again = pickle.loads(pickle.dumps(said))
    assert type(again) is type(said)
    assert (again.message, again.details, again.code) == ("It is so.", {"limit": 3}, mien.code)


def test_errors_of_one_kind_have_one_class() -> None:
    kinds = (errors.NoFaceFound, DeepFace.exceptions.FaceNotDetected)
    assert type(error(*kinds, "a")) is type(error(*kinds, "b"))


def test_there_is_one_model_against_spoofing() -> None:
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="spoofing/Other"):
        DeepFace.build_model("Other", "spoofing")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"enforce_detection": "false"}, "enforce_detection"),
        ({"align": None}, "align"),
        ({"expand_percentage": "much"}, "expand_percentage"),
        ({"expand_percentage": 401}, "400"),
        ({"normalization": "none"}, "base"),
        ({"model_name": 3}, "recognition model"),
        ({"detector_backend": "skp"}, "skip"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        DeepFace.represent(bgr(1), **options)
