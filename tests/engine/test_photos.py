"""Detect, represent and compare, with drawn faces: everything but the weights is real."""

import io
import json
import threading

import numpy as np
import pytest
from PIL import Image

from mien import Engine, config
from mien.errors import ImageDecodeError, InvalidArgument, NoFaceFound, UnknownModel
from mien.image import open_photo
from mien.testing import MockDetector, MockEmbedder, drawn_face, drawn_photo, mock_engine


@pytest.fixture
def engine():
    with mock_engine() as made:
        yield made


def jpeg(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=92, **options)
    return buffer.getvalue()


def test_detect_gives_boxes_in_the_photo(engine):
    found = engine.detect(drawn_photo([(1, 300, 200, 200), (2, 20, 30, 90)], (700, 900)))
    assert (found.width, found.height, len(found)) == (900, 700, 2)
    np.testing.assert_allclose(found[0].box.to_list(), [300, 200, 500, 400], atol=2)
    document = json.loads(found.to_json())
    assert set(document) == {"width", "height", "faces"}
    assert set(document["faces"][0]) == {"box", "score", "landmarks"}
    assert "2 face(s) in 900x700 by mock" in str(found)


def test_boxes_of_a_large_jpeg_are_in_its_own_pixels(engine):
    photo = drawn_photo([(1, 1200, 800, 1000)], (3000, 4000))
    found = engine.detect(jpeg(photo))
    assert found.image.shape[1] < 4000
    assert (found.width, found.height) == (4000, 3000)
    np.testing.assert_allclose(found[0].box.to_list(), [1200, 800, 2200, 1800], atol=6)


def test_a_small_face_of_a_large_jpeg_is_embedded_from_full_resolution(engine):
    photo = drawn_photo([(5, 3000, 2000, 80)], (3000, 4000))
    opened = open_photo(jpeg(photo))
    small = engine.represent(opened)
    whole = engine.represent(drawn_photo([(5, 10, 10, 80)], (200, 200)))
    assert float(small.embeddings.vector[0] @ whole.embeddings.vector[0]) > 0.98


def test_exif_orientation_is_applied_before_anything_else(engine):
    upright = drawn_photo([(3, 50, 100, 120)], (400, 600))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 270 degrees to show upright
    turned = jpeg(np.ascontiguousarray(np.rot90(upright)), exif=exif)
    found = engine.detect(turned)
    assert (found.width, found.height) == (600, 400)
    np.testing.assert_allclose(found[0].box.to_list(), [50, 100, 170, 220], atol=3)


def test_represent_names_the_contract(engine):
    found = engine.represent(drawn_face(7))
    assert found.embeddings.vector.shape == (1, 64)
    assert found.contract == engine.embedder.contract
    entry = found.to_dict()["faces"][0]
    assert set(entry) == {"box", "embedding", "norm", "contract"}
    assert entry["contract"] == str(found.contract)
    assert len(engine.represent(np.full((90, 90, 3), 9, np.uint8))) == 0


def test_max_faces_keeps_the_largest(engine):
    photo = drawn_photo([(1, 10, 10, 60), (2, 100, 10, 150)], (200, 300))
    found = engine.represent(photo, max_faces=1)
    assert len(found.detection) == len(found.embeddings) == 1
    assert found.detection[0].box.x0 > 90


def test_compare_takes_the_largest_of_a_and_the_best_of_b(engine):
    a = drawn_photo([(1, 10, 10, 60), (2, 100, 10, 150)], (200, 300))
    b = drawn_photo([(1, 10, 10, 150), (2, 200, 10, 60), (3, 290, 10, 60)], (200, 400))
    answer = engine.compare(a, b)
    assert answer
    assert answer.match
    assert answer.confidence == max(pair.confidence for pair in answer.all)
    assert [pair.match for pair in answer.all] == [True, False, False]
    assert answer.face_b.box.x0 > 190
    assert (answer.decided_on, answer.fmr) == ("confidence", 1e-3)
    assert answer.threshold == pytest.approx(0.5)
    assert not engine.compare(drawn_face(1), drawn_face(2))


def test_compare_json_is_the_documented_one(engine):
    document = json.loads(engine.compare(drawn_face(1), drawn_face(1)).to_json())
    documented = {"match", "similarity", "confidence", "decided_on", "threshold", "fmr"}
    assert documented | {"embedder", "detector", "faces", "all", "extrapolated"} == set(document)
    assert len(document["faces"]) == 2


def test_a_threshold_decides_on_similarity(engine):
    answer = engine.compare(drawn_face(1), drawn_face(1), threshold=0.999)
    assert (answer.decided_on, answer.threshold, answer.fmr) == ("similarity", 0.999, None)
    strict = engine.compare(drawn_face(1), drawn_face(2), threshold=-1)
    assert strict.match
    with pytest.raises(InvalidArgument, match="not both"):
        engine.compare(drawn_face(1), drawn_face(1), threshold=0.5, fmr=1e-3)


@pytest.mark.parametrize("fmr", [0, 1, -1, 2, float("nan")])
def test_impossible_rates_are_refused(engine, fmr):
    with pytest.raises(InvalidArgument):
        engine.compare(drawn_face(1), drawn_face(1), fmr=fmr)


def test_a_metric_changes_the_unit_of_similarity_only(engine):
    own = engine.compare(drawn_face(1), drawn_face(1, (480, 640)))
    other = engine.compare(drawn_face(1), drawn_face(1, (480, 640)), metric="euclidean_l2")
    assert other.confidence == pytest.approx(own.confidence)
    assert other.match is own.match
    assert other.similarity != pytest.approx(own.similarity)


def test_no_face_says_which_photo(engine):
    nobody = np.full((100, 100, 3), 200, np.uint8)
    for images, name in [((nobody, drawn_face(1)), "a"), ((drawn_face(1), nobody), "b")]:
        with pytest.raises(NoFaceFound) as caught:
            engine.compare(*images)
        assert caught.value.details == {"image": name}


def test_without_calibration_a_threshold_is_needed():
    with Engine(detector=MockDetector(), embedder=MockEmbedder()) as bare:
        with pytest.raises(InvalidArgument, match="calibrat"):
            bare.compare(drawn_face(1), drawn_face(1))
        answer = bare.compare(drawn_face(1), drawn_face(1), threshold=0.5)
    assert answer.match
    assert answer.confidence is None


def test_batches_keep_their_order_and_carry_no_pixels(engine):
    photos = [drawn_photo([(i, 10, 10, 40 + i)], (200, 200)) for i in range(1, 12)]
    found = engine.detect_batch(photos)
    assert [round(one[0].box.width) for one in found] == [41 + i for i in range(11)]
    assert all(one.image is None for one in found)
    templates = engine.represent_batch(photos)
    again = np.concatenate([engine.represent(photo).embeddings.vector for photo in photos])
    np.testing.assert_allclose(
        np.concatenate([one.embeddings.vector for one in templates]), again, atol=1e-6
    )


def test_a_bad_photo_in_a_batch_raises_its_own_error(engine):
    with pytest.raises(ImageDecodeError):
        engine.detect_batch([drawn_face(1), b"no image at all" * 10, drawn_face(2)])


def test_results_draw_themselves(engine):
    found = engine.detect(drawn_face(1))
    assert found.draw().size == (320, 240)
    assert found._repr_png_().startswith(b"\x89PNG")
    pair = engine.compare(drawn_face(1), drawn_face(1))
    assert pair.draw().size[0] > 320
    assert pair._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(InvalidArgument, match="cannot be drawn"):
        found.without_image().draw()


def test_the_thread_budget_holds_even_for_nested_work():
    running, most = [0], [0]
    lock = threading.Lock()

    class Counting(MockEmbedder):
        def embed(self, crops):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            try:
                return super().embed(crops)
            finally:
                with lock:
                    running[0] -= 1

    settings = config.load(threads=2)
    with Engine(detector=MockDetector(), embedder=Counting(), settings=settings) as engine:
        photo = drawn_photo([(i, 10 + 50 * i, 10, 40) for i in range(8)], (60, 420))
        assert [len(one) for one in engine.represent_batch([photo] * 6)] == [8] * 6
    assert most[0] <= 2


def test_an_engine_serves_many_threads_and_can_be_closed_twice(engine):
    photo = drawn_face(4)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(engine.compare(photo, photo).match))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 8
    engine.close()
    engine.close()
    assert engine.compare(photo, photo)


@pytest.mark.parametrize("option", ["detector", "embedder"])
def test_a_misspelt_model_is_named_with_what_is_near(option):
    name = {"detector": "yunett", "embedder": "sfcae"}[option]
    with Engine(**{option: name}) as engine, pytest.raises(UnknownModel, match=r"yunet|sface"):
        engine.compare(drawn_face(1), drawn_face(1))
