import numpy as np
import pytest

from mien.evaluate.templates import embed_files, subject
from mien.image import open_photo
from mien.testing import drawn_photo, mock_engine
from mien.types import Faces


def faces(*boxes):
    box = np.array(boxes, np.float32)
    return Faces.ordered(box, np.ones(len(box), np.float32), None, size_hw=(250, 250))


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        # A passer-by at the border is larger than the person in the middle.
        ([(143, 56, 250, 206), (76, 75, 168, 191)], (76, 75)),
        # In the middle, the larger face is meant.
        ([(80, 60, 170, 190), (110, 20, 140, 50)], (80, 60)),
        # A single face is the subject wherever it is.
        ([(0, 0, 40, 40)], (0, 0)),
    ],
)
def test_the_subject_is_large_and_central(boxes, expected):
    found = faces(*boxes)
    chosen = found[subject(found, width=250, height=250)]
    assert (chosen.box.x0, chosen.box.y0) == expected


def test_files_are_embedded_by_their_subject(tmp_path):
    from PIL import Image

    both = drawn_photo([(1, 160, 5, 85), (2, 70, 80, 80)], (250, 250))
    Image.fromarray(both).save(tmp_path / "both.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    with mock_engine() as engine:
        found = embed_files(engine, ["both.png", "broken.png"], tmp_path)
        alone = engine.represent(open_photo(drawn_photo([(2, 70, 80, 80)], (250, 250))))
    assert found.found.tolist() == [True, False]
    assert float(found.vector[0] @ alone.embeddings.vector[0]) > 0.99
    assert np.isnan(found.norm[1])
