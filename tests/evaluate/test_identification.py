import numpy as np
import pytest
from PIL import Image

from mien.errors import InvalidArgument
from mien.evaluate import identification
from mien.evaluate.open_rates import Searched, dir_at, intervals
from mien.testing import mock_engine


@pytest.fixture
def listed(photos, table):
    """Persons 0 to 2 enrolled, 3 a distractor, 4 and 5 strangers; each known one probed once."""
    rows = [("path", "id", "role")]
    rows += [(f"p{i}_a.png", f"p{i}", "enrol") for i in range(3)]
    rows += [("p3_a.png", "p3", "enrol_distractor")]
    rows += [(f"p{i}_b.png", f"p{i}", "probe_known") for i in range(3)]
    rows += [(f"p{i}_a.png", f"p{i}", "probe_unknown") for i in (4, 5)]
    return photos, rows, table


def test_known_people_come_first_and_strangers_stay_unnamed(listed):
    root, rows, table = listed
    with mock_engine() as engine:
        report = identification(engine, table(rows), root)
    assert (report.enrolled, report.persons, report.distractors) == (4, 4, 1)
    assert (report.rank1, report.cmc[10], report.fpir, report.dir_default) == (1.0, 1.0, 0.0, 1.0)
    assert report.dir == {"fpir_1e-2": None, "fpir_1e-3": None}  # two strangers support neither
    assert report.to_dict()["intervals"]["rank1"] == [1.0, 1.0]


def test_who_could_not_be_enrolled_or_detected_counts_as_missed(listed):
    root, rows, table = listed
    Image.new("RGB", (200, 200)).save(root / "p0_a.png")  # enrolment fails
    Image.new("RGB", (200, 200)).save(root / "p1_b.png")  # the probe has no face
    (root / "p4_a.png").write_bytes(b"broken")
    with mock_engine() as engine:
        report = identification(engine, table(rows), root)
    assert report.rejected == ("p0_a.png",)
    assert set(report.undetected) == {"p1_b.png", "p4_a.png"}
    assert report.rank1 == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({8: ("p4_a.png", "p1", "probe_unknown")}, "as unknown, who is enrolled"),
        ({5: ("p0_b.png", "p5", "probe_known")}, "as known, who has no role enrol"),
        ({1: ("p0_a.png", "p0", "enroll")}, "line 2: role must be one of"),
        ({6: ("p0_b.png", "p1", "probe_known")}, "listed twice"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(listed, change, message):
    root, rows, table = listed
    for place, row in change.items():
        rows[place] = row
    with mock_engine() as engine, pytest.raises(InvalidArgument, match=message):
        identification(engine, table(rows), root)


def test_a_list_of_photos_that_cannot_be_enrolled_is_refused(listed):
    root, rows, table = listed
    for i in range(4):
        Image.new("RGB", (200, 200)).save(root / f"p{i}_a.png")
    with mock_engine() as engine, pytest.raises(InvalidArgument, match="could be enrolled"):
        identification(engine, table(rows), root)


def probes(tops, *, known, rank=1):
    return [
        Searched(f"{i}.png", f"person {i}", known, True, rank, top) for i, top in enumerate(tops)
    ]


def test_the_threshold_leaves_just_the_asked_part_of_the_strangers_above_it():
    strangers = probes(np.arange(300) / 300, known=False)  # 3 of them may pass at 1e-2
    below, above = 296.0 / 300, 296.5 / 300
    assert dir_at(probes([below], known=True), strangers, 1e-2) == 0.0
    assert dir_at(probes([above], known=True), strangers, 1e-2) == 1.0
    assert dir_at(probes([above], known=True, rank=2), strangers, 1e-2) == 0.0


def test_a_rate_below_three_over_the_strangers_is_not_claimed():
    known = probes([1.0], known=True)
    assert dir_at(known, probes([0.1] * 299, known=False), 1e-2) is None
    assert dir_at(known, probes([0.1] * 300, known=False), 1e-2) == 1.0


def test_intervals_hold_the_rate_and_are_wider_for_photos_of_few_people():
    generator = np.random.default_rng(0)
    hit = generator.random(400) < 0.8
    many = [Searched(f"{i}", f"p{i}", True, True, 1 if h else 9, 1.0) for i, h in enumerate(hit)]
    few = [  # the same photos, of twenty people whose photos succeed or fail together
        Searched(f"{i}", f"p{i // 20}", True, True, 1 if i // 20 % 5 else 9, 1.0)
        for i in range(400)
    ]
    wide, narrow = (intervals(one, [], {}, None, seed=1)["rank1"] for one in (few, many))
    assert narrow.low < hit.mean() < narrow.high
    assert wide.high - wide.low > 3 * (narrow.high - narrow.low)
