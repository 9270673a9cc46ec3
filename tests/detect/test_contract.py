"""What every detector must do, whatever net is inside.

The weights of detectors that are published at an address cannot be had everywhere. In their place
stands the default detector's net with their inputs and outputs (see ``disguised``): what is
tested of them is all that is around the net, on real photos.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from mien import detect
from mien.detect import Detector
from mien.errors import ModelError
from mien.image import open_photo
from mien.models.card import UrlSource

NAMES = detect.names()
HEIGHT = 360
FINDERS = [name for name in NAMES if name != "skip"]  # skip takes the whole image for a face


@pytest.fixture(scope="module")
def made(models, disguised):
    """Detectors by name, each opened once."""
    opened = {}

    def create(name):
        if name not in opened:
            published = all(isinstance(s, UrlSource) for s in models.card(name, "detect").sources)
            store = disguised if published and models.card(name, "detect").sources else models
            try:
                opened[name] = detect.create(name, store)
            except ModelError as error:
                if "mien[" not in error.message:
                    raise
                opened[name] = error
        if isinstance(opened[name], ModelError):
            pytest.skip(opened[name].message)  # an extra that is not installed
        return opened[name]

    return create


@pytest.fixture
def detector(made, request):
    return made(request.param)


@pytest.fixture(scope="module")
def portraits(people):
    """Photos of one large face each, 360 pixels high: the slowest detector takes seconds a look."""
    photos = []
    for paths in people.values():
        photo = open_photo(paths[0]).pixels()
        scale = HEIGHT / photo.shape[0]
        photos.append(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    return photos


every = pytest.mark.parametrize("detector", NAMES, indirect=True, ids=NAMES)
finder = pytest.mark.parametrize("detector", FINDERS, indirect=True, ids=FINDERS)


def check(faces, image):
    """The promises of Faces, and five landmarks always."""
    height, width = image.shape[:2]
    n = len(faces)
    assert faces.box_xyxy.shape == (n, 4)
    assert faces.landmarks is not None
    assert faces.landmarks.shape == (n, 5, 2)
    for array in (faces.box_xyxy, faces.score, faces.landmarks):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert ((faces.score >= 0) & (faces.score <= 1)).all()
    corner, far = faces.box_xyxy[:, :2], faces.box_xyxy[:, 2:]
    assert (corner >= 0).all()
    assert (far <= [width, height]).all()
    assert (corner < far).all()
    assert (np.diff((far - corner).prod(axis=1)) <= 0).all()


def overlap(a, b):
    """Intersection over union of two boxes."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    both = max(width, 0) * max(height, 0)
    return both / (a.area + b.area - both)


def eye_distance(face):
    return float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))


@every
def test_it_is_a_detector_with_its_cards_name(detector, models):
    assert isinstance(detector, Detector)
    assert detector.name == models.card(detector.name, "detect").name


@every
def test_a_batch_is_its_photos_one_by_one_in_their_order(detector, portraits):
    assert detector.detect([]) == []
    together = detector.detect(portraits[:2])
    assert len(together) == 2
    for faces, photo in zip(together, portraits[:2], strict=True):
        (alone,) = detector.detect([photo])
        check(faces, photo)
        np.testing.assert_allclose(alone.box_xyxy, faces.box_xyxy, atol=0.1)
        np.testing.assert_allclose(alone.landmarks, faces.landmarks, atol=0.1)


@every
def test_photos_are_not_changed_and_need_not_be_contiguous(detector, portraits):
    photo = portraits[0]
    before = photo.copy()
    (expected,) = detector.detect([photo])
    np.testing.assert_array_equal(photo, before)
    wide = np.zeros((photo.shape[0], 2 * photo.shape[1], 3), np.uint8)
    wide[:, ::2] = photo
    (found,) = detector.detect([wide[:, ::2]])
    np.testing.assert_allclose(found.box_xyxy, expected.box_xyxy, atol=0.1)


@every
@pytest.mark.parametrize("size_hw", [(1, 1), (16, 16), (20, 700), (700, 20), (333, 251)])
def test_any_size_is_an_answer(detector, size_hw):
    photo = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    (faces,) = detector.detect([photo])
    check(faces, photo)


@every
def test_threads_get_what_one_alone_gets(detector, portraits):
    photos = portraits[:2]
    expected = [detector.detect([photo])[0] for photo in photos]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda photo: detector.detect([photo])[0], photos * 2))
    for faces, alone in zip(found, expected * 2, strict=True):
        np.testing.assert_allclose(faces.box_xyxy, alone.box_xyxy, atol=0.1)
        np.testing.assert_allclose(faces.landmarks, alone.landmarks, atol=0.1)


@finder
def test_nothing_is_found_where_nothing_is(detector):
    for value in (0, 127, 255):
        (faces,) = detector.detect([np.full((120, 160, 3), value, np.uint8)])
        assert len(faces) == 0
        assert faces.landmarks.shape == (0, 5, 2)


@finder
def test_it_finds_the_face_that_the_default_detector_finds(detector, made, portraits):
    for photo in portraits:
        face = detector.detect([photo])[0][0]
        reference = made("yunet").detect([photo])[0][0]
        assert overlap(face.box, reference.box) > 0.4
        away = np.linalg.norm(face.landmarks - reference.landmarks, axis=1)
        assert away.max() < 0.25 * eye_distance(reference)


@finder
def test_landmarks_of_a_mirrored_photo_are_mirrored(detector, portraits):
    """Image-left first, in the mirror too: no eye is another eye."""
    photo = portraits[0]
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    face, mirror = (detector.detect([image])[0][0] for image in (photo, mirrored))
    left_eye, right_eye, nose, left_mouth, right_mouth = mirror.landmarks
    assert left_eye[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    back = mirror.landmarks[[1, 0, 2, 4, 3]] * [-1, 1] + [photo.shape[1], 0]
    away = np.linalg.norm(back - face.landmarks, axis=1)
    assert away.max() < 0.15 * eye_distance(face)


@finder
def test_two_people_are_two_faces_largest_first(detector, portraits):
    large, small = portraits[0], portraits[1]
    small = cv2.resize(small, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    both = np.full((HEIGHT, large.shape[1] + small.shape[1], 3), 127, np.uint8)
    both[: small.shape[0], : small.shape[1]] = small
    both[:, small.shape[1] :] = large
    (faces,) = detector.detect([both])
    assert len(faces) == 2
    centre = (faces.box_xyxy[:, 0] + faces.box_xyxy[:, 2]) / 2
    assert centre[0] > small.shape[1] > centre[1]
    check(faces, both)
