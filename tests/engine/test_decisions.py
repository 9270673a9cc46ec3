"""What is decided on is also what ranks, in compare, verify and identify alike."""

import numpy as np
import pytest

from mien import Engine, Gallery
from mien.engine import default_engine
from mien.errors import InvalidArgument, NotFound
from mien.match.calibration import Calibration
from mien.testing import MockDetector, MockEmbedder, drawn_face, drawn_photo, mock_calibration
from mien.types import Embeddings, Faces

PROBE, CLEAR, BLURRED = 1, 2, 3
SIMILARITY = {PROBE: 1.0, CLEAR: 0.62, BLURRED: 0.60}  # with the probe
NORM = {PROBE: 13.0, CLEAR: 13.0, BLURRED: 8.0}


class Scripted(MockEmbedder):
    """Gives the drawn identities 1 to 3 the similarities and norms above."""

    def embed(self, crops):
        known = super().embed(np.stack([self._crop_of(i) for i in SIMILARITY]))
        nearest = (super().embed(crops).vector @ known.vector.T).argmax(axis=1)
        who = np.array(list(SIMILARITY))[nearest]
        vector = np.zeros((len(crops), 64), np.float32)
        vector[:, 0] = [SIMILARITY[i] for i in who]
        vector[np.arange(len(crops)), who] = np.sqrt(1 - vector[:, 0] ** 2)
        return Embeddings(vector, np.array([NORM[i] for i in who], np.float32))

    def _crop_of(self, identity):
        photo = drawn_face(identity)
        return self.crop(photo, MockDetector().detect([photo])[0][0])


def quality_aware():
    """Confidence 0.5 at similarity 0.63 for clear pairs, at 0.58 for blurred ones."""
    from dataclasses import replace

    facts = replace(
        mock_calibration().facts,
        weights=(40.0, 0.0, -10.0, -26.0),
        norm_reference=10.0,
        norm_clip=(-0.3, 0.0),
    )
    return Calibration(facts)


@pytest.fixture
def engine():
    with Engine(detector=MockDetector(), embedder=Scripted(), calibration=quality_aware()) as made:
        yield made


@pytest.fixture
def gallery(engine, tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'gallery.db'}") as opened:
        engine.enroll(opened, "people", "Ada", [drawn_face(CLEAR), drawn_face(BLURRED)])
        yield opened


def test_the_setting_is_what_it_says(engine):
    clear = engine.compare(drawn_face(PROBE), drawn_face(CLEAR))
    blurred = engine.compare(drawn_face(PROBE), drawn_face(BLURRED))
    assert clear.similarity > blurred.similarity
    assert blurred.confidence > 0.5 > clear.confidence


@pytest.mark.parametrize("threshold", [0.55, 0.61, 0.7])
def test_compare_is_a_match_if_any_pair_passes(engine, threshold):
    both = drawn_photo([(CLEAR, 10, 10, 80), (BLURRED, 120, 10, 80)], (100, 220))
    answer = engine.compare(drawn_face(PROBE), both, threshold=threshold)
    assert answer.match is any(pair.match for pair in answer.all) is (threshold < 0.62)
    assert answer.similarity == max(pair.similarity for pair in answer.all)
    on_confidence = engine.compare(drawn_face(PROBE), both)
    assert on_confidence.confidence == max(pair.confidence for pair in on_confidence.all)


@pytest.mark.parametrize("threshold", [0.55, 0.61, 0.7])
def test_verify_with_a_threshold_takes_the_most_similar_face(engine, gallery, threshold):
    answer = engine.verify(gallery, "people", "Ada", drawn_face(PROBE), threshold=threshold)
    assert answer.match is (threshold < 0.62)
    assert answer.similarity == pytest.approx(0.62)


def test_identify_and_verify_agree_on_a_person_with_several_faces(engine, gallery):
    verified = engine.verify(gallery, "people", "Ada", drawn_face(PROBE))
    assert verified.match
    fpir = 1 - (1 - verified.fmr) ** gallery.size("people")  # the same threshold
    found = engine.identify(gallery, "people", drawn_face(PROBE), fpir=fpir)
    assert found.threshold == pytest.approx(verified.threshold)
    assert found.people == ["Ada"]
    assert found.faces[0].candidates[0].confidence == pytest.approx(verified.confidence)


def test_values_that_are_no_numbers_are_refused(engine):
    for option in ({"fmr": "a"}, {"threshold": "a"}, {"threshold": float("nan")}):
        with pytest.raises(InvalidArgument):
            engine.compare(drawn_face(PROBE), drawn_face(CLEAR), **option)


def test_rejected_photos_leave_no_group(engine, gallery):
    nobody = np.full((100, 100, 3), 200, np.uint8)
    assert engine.enroll(gallery, "typo", "Ada", [nobody, b"no image"]).enrolled == 0
    with pytest.raises(NotFound):
        gallery.group("typo")


def test_one_photo_is_not_a_list_of_photos(engine, gallery):
    for photo in ("obama.jpg", b"bytes"):
        with pytest.raises(InvalidArgument, match="list"):
            engine.enroll(gallery, "people", "Ada", photo)


def test_landmarks_that_coincide_reject_a_photo_and_not_the_rest(gallery):
    class OnePoint(MockDetector):
        def detect(self, images):
            found = super().detect(images)
            return [
                Faces(faces.box_xyxy, faces.score, np.full_like(faces.landmarks, 50))
                if image.shape[0] == 111
                else faces
                for faces, image in zip(found, images, strict=True)
            ]

    engine = Engine(detector=OnePoint(), embedder=Scripted(), calibration=quality_aware())
    with engine:
        photos = [drawn_face(PROBE, (111, 200)), drawn_face(PROBE)]
        done = engine.enroll(gallery, "people", "Grace", photos)
    assert (done.enrolled, [one.reasons for one in done.rejected]) == (1, [("invalid_argument",)])


def test_the_one_line_functions_share_engines_and_models():
    plain = default_engine()
    assert default_engine(plain.settings.detector, plain.settings.embedder) is plain
    assert default_engine(plain.settings.detector) is plain
