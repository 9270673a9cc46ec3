"""Models that an engine lets go of, and what stays."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mien import Engine
from mien.testing import MockDetector, MockEmbedder, drawn_photo, mock_engine

PHOTO = drawn_photo([(1, 100, 60, 120)], (300, 400))


def test_what_was_given_stays():
    with mock_engine() as engine:
        detector, embedder = engine.detector, engine.embedder
        before = engine.represent(PHOTO).embeddings.vector
        engine.release()
        assert (engine.detector, engine.embedder) == (detector, embedder)
        np.testing.assert_array_equal(engine.represent(PHOTO).embeddings.vector, before)


def test_what_was_loaded_by_name_is_loaded_anew(models, people):
    photo = people["Eileen Collins"][0]
    with Engine(models=models, settings=models.settings) as engine:
        before = engine.represent(photo)
        detector, embedder = engine.detector, engine.embedder
        assert {"detect/yunet", "embed/sface"} <= set(models.holding())
        engine.release()
        assert models.holding() == {}
        after = engine.represent(photo)
        assert engine.detector is not detector
        assert engine.embedder is not embedder
        np.testing.assert_allclose(after.embeddings.vector, before.embeddings.vector, atol=1e-5)
        assert embedder.embed(np.zeros((1, *embedder.size_hw, 3), np.uint8)).vector.shape[0] == 1


def test_calls_under_way_do_not_notice(models, people):
    photo = people["Eileen Collins"][0]
    with Engine(models=models, settings=models.settings) as engine:
        expected = engine.represent(photo).embeddings.vector
        stop = threading.Event()

        def let_go():
            while not stop.wait(0.1):
                engine.release()

        with ThreadPoolExecutor(3) as pool:
            pool.submit(let_go)
            found = [pool.submit(engine.represent, photo) for _ in range(6)]
            answers = [one.result(60).embeddings.vector for one in found]
            stop.set()
    for answer in answers:
        np.testing.assert_allclose(answer, expected, atol=1e-5)


@pytest.mark.parametrize("given", [{}, {"detector": MockDetector()}])
def test_releasing_before_anything_was_loaded(models, given):
    engine = Engine(models=models, embedder=MockEmbedder(), **given)
    engine.release()
    engine.release()
