"""Lists: what is read, and what is refused."""

import pytest

from mien.errors import ImageNotFound, InvalidArgument
from mien.evaluate.lists import check_files, read_faces, read_pairs


def test_pairs_name_each_photo_once(table):
    pairs = read_pairs(table([["a", "b", "same"], ["x", "y", "1"], ["x", "z", "0"]]))
    assert pairs.names == ("x", "y", "z")
    assert pairs.a.tolist() == [0, 0]
    assert pairs.b.tolist() == [1, 2]
    assert pairs.same.tolist() == [True, False]
    assert pairs.fold is None


def test_pairs_with_folds_spaces_and_other_columns(table):
    rows = [[" a", "b", "same ", "fold", "note"], ["x ", "y", "1", "2", "?"], ["x", "z", "0", "1"]]
    pairs = read_pairs(table(rows))
    assert pairs.fold == ("2", "1")
    assert pairs.names == ("x", "y", "z")


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    file = tmp_path / "bom.csv"
    file.write_text("\ufeffa,b,same\nx,y,1\nx,z,0\n", encoding="utf-8")
    assert len(read_pairs(file)) == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", "b"], ["x", "y"]], "list.csv lacks the column same"),
        ([], "lacks the column a, b, same"),
        ([["a", "b", "same"]], "is empty"),
        ([["a", "b", "same"], ["x", "y", "yes"]], "line 2: same must be 0 or 1, not 'yes'"),
        ([["a", "b", "same"], ["x", "y", "1"], ["x", "", "0"]], "line 3: b is empty"),
        ([["a", "b", "same"], ["x", "y"]], "line 2: same is empty"),
        ([["a", "b", "same", "fold"], ["x", "y", "1", ""]], "line 2: fold is empty"),
        ([["a", "b", "same"], ["x", "y", "1"]], "both kinds"),
    ],
)
def test_pair_lists_that_cannot_be(table, rows, message):
    with pytest.raises(InvalidArgument, match=message):
        read_pairs(table(rows))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InvalidArgument, match=r"no list none\.csv") as caught:
        read_pairs(tmp_path / "none.csv")
    assert str(tmp_path) not in str(caught.value)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00a,b")
    with pytest.raises(InvalidArgument, match="UTF-8"):
        read_pairs(tmp_path / "binary.csv")
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_pairs(tmp_path)


def test_faces(table):
    rows = [["path", "id", "fold", "set", "group"], ["x", "A", "1", "s", "F"], ["y", "B", "2"]]
    faces = read_faces(table(rows))
    assert faces.names == ("x", "y")
    assert faces.identity == ("A", "B")
    assert faces.fold == ("1", "2")
    assert faces.dataset == ("s", "")
    assert faces.group == ("F", "")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["path"], ["x"]], "lacks the column id"),
        ([["path", "id"], ["x", "A"], ["x", "B"]], "line 3: x is listed twice"),
        ([["path", "id", "fold"], ["x", "A", "1"], ["y", "A", "2"]], "A is in two folds"),
        ([["path", "id", "fold"], ["x", "A", ""]], "fold is empty"),
    ],
)
def test_face_lists_that_cannot_be(table, rows, message):
    with pytest.raises(InvalidArgument, match=message):
        read_faces(table(rows))


def test_missing_images_are_counted_before_any_work(tmp_path):
    (tmp_path / "here.png").write_bytes(b"x")
    names = ["here.png", "sub/gone.png", "gone2.png"]
    with pytest.raises(ImageNotFound, match=r"2 of the 3 .* first is gone\.png") as caught:
        check_files(names, tmp_path)
    assert str(tmp_path) not in str(caught.value)
