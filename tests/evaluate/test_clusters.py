import numpy as np
import pytest
from PIL import Image

from mien.errors import InvalidArgument
from mien.evaluate import clusters
from mien.evaluate.clusters import b_cubed
from mien.testing import drawn_face, mock_engine


def test_b_cubed_counted_by_hand():
    # {a a a b} and {b b}, counted by hand
    labels = np.array([0, 0, 0, 0, 1, 1])
    truth = np.array([0, 0, 0, 1, 1, 1])
    precision, recall = b_cubed(labels, truth)
    assert precision == pytest.approx((3 * 3 / 4 + 1 / 4 + 2 * 1) / 6)
    assert recall == pytest.approx((3 * 1 + 1 / 3 + 2 * 2 / 3) / 6)


@pytest.fixture
def listed(tmp_path):
    rows = ["path,id"]
    for name, identity in [("a", 1), ("b", 1), ("c", 2)]:
        Image.fromarray(drawn_face(identity)).save(tmp_path / f"{name}.png")
        rows.append(f"{name}.png,person {identity}")
    Image.new("RGB", (64, 64)).save(tmp_path / "blank.png")
    rows.append("blank.png,person 2")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    return tmp_path


def test_a_list_is_sorted_and_compared(listed):
    with mock_engine() as engine:
        report = clusters(engine, listed / "list.csv", listed)
    assert (report.clusters, report.people, report.undetected) == (2, 2, ("blank.png",))
    assert (report.precision, report.recall, report.f) == (1.0, 1.0, 1.0)


def test_a_list_without_any_face_is_refused(listed):
    (listed / "list.csv").write_text("path,id\nblank.png,x\n")
    with mock_engine() as engine, pytest.raises(InvalidArgument, match="No face"):
        clusters(engine, listed / "list.csv", listed)
