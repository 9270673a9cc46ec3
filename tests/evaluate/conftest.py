"""Photos and templates to evaluate, drawn or random."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.evaluate.lists import FaceList
from mien.evaluate.templates import Templates
from mien.testing import drawn_face


@pytest.fixture
def table(tmp_path):
    """Write a CSV and give its path."""

    def write(rows, name="list.csv") -> Path:
        path = tmp_path / name
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(rows)
        return path

    return write


@pytest.fixture
def photos(tmp_path):
    """Two photos each of six drawn people, and a photo of nobody."""
    for person in range(6):
        Image.fromarray(drawn_face(person, (240, 320))).save(tmp_path / f"p{person}_a.png")
        Image.fromarray(drawn_face(person, (300, 260))).save(tmp_path / f"p{person}_b.png")
    Image.fromarray(np.full((240, 320, 3), 200, np.uint8)).save(tmp_path / "nobody.png")
    return tmp_path


@pytest.fixture(scope="session")
def random_people():
    """Templates of 60 people, five faces each, in two sets; faces of low norm are unlike."""
    generator = np.random.default_rng(5)
    person = np.repeat(np.arange(60), 5)
    centre = generator.normal(size=(60, 48))[person]
    poor = generator.random(len(person)) * (1 + (person % 2))  # the second set is worse
    vector = centre + generator.normal(size=centre.shape) * (0.4 + 0.8 * poor[:, None])
    vector /= np.linalg.norm(vector, axis=1, keepdims=True)
    norm = 14.0 - 4.0 * poor + generator.normal(size=len(person)) * 0.3
    faces = FaceList(
        names=tuple(f"{p}_{i}.jpg" for i, p in enumerate(person)),
        identity=tuple(f"person {p}" for p in person),
        fold=None,
        dataset=tuple("ab"[p % 2] for p in person),
        group=tuple(["F", "M", ""][p % 3] for p in person),
    )
    found = np.ones(len(person), np.bool_)
    return faces, Templates(vector.astype(np.float32), norm.astype(np.float32), found, 1.0)
