"""find, and the index that it keeps of a folder."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien import errors
from mien.compat import deepface as DeepFace  # noqa: N812
from mien.compat.deepface import folder_index
from mien.engine import Engine
from mien.testing import MockEmbedder, drawn_face, drawn_photo

KEYS = [
    "identity",
    "hash",
    *(f"{whose}_{side}" for whose in ("target", "source") for side in "xywh"),
    "threshold",
    "distance",
    "confidence",
]


def bgr(identity: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(drawn_face(identity)[..., ::-1])


def find(image: Any, folder: Path, **options: Any) -> list[list[dict[str, Any]]]:
    return DeepFace.find(image, str(folder), return_type="dict", **options)


def names(rows: list[dict[str, Any]]) -> list[str]:
    return [Path(row["identity"]).name for row in rows]


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many crops each call of the recognition model got."""
    seen: list[int] = []
    embed = MockEmbedder.embed

    def counted(self: MockEmbedder, crops: NDArray[np.uint8]) -> Any:
        seen.append(len(crops))
        return embed(self, crops)

    monkeypatch.setattr(MockEmbedder, "embed", counted)
    return seen


def forget() -> None:
    """As in a new process."""
    folder_index._KEPT.clear()


def test_rows_are_deepfaces(people: Path) -> None:
    (rows,) = find(bgr(2), people)
    assert [list(row) for row in rows] == [KEYS]
    (row,) = rows
    assert row["identity"] == str(people / "2.png")
    assert row["distance"] < 0.01 < row["threshold"]
    assert row["confidence"] > 99
    assert [row[f"target_{side}"] for side in "xywh"] == [100, 60, 120, 120]
    assert [row[f"source_{side}"] for side in "xywh"] == [100, 60, 120, 120]


def test_nobody_who_is_alike_is_an_empty_list(people: Path) -> None:
    assert find(bgr(9), people) == [[]]


def test_a_search_for_similar_faces_lists_everybody(people: Path) -> None:
    (rows,) = find(bgr(3), people, similarity_search=True)
    assert len(rows) == 4
    assert names(rows)[0] == "3.png"
    assert [row["distance"] for row in rows] == sorted(row["distance"] for row in rows)
    (rows,) = find(bgr(3), people, similarity_search=True, k=2)
    assert len(rows) == 2


def test_every_face_of_the_photo_is_looked_up(people: Path) -> None:
    couple = drawn_photo([(1, 20, 20, 120), (4, 200, 40, 100)], (200, 340))[..., ::-1]
    assert [names(rows) for rows in find(couple, people)] == [["1.png"], ["4.png"]]


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "euclidean_l2", "angular"])
def test_every_metric_finds_the_same_person(people: Path, metric: str) -> None:
    assert [names(rows) for rows in find(bgr(2), people, distance_metric=metric)] == [["2.png"]]


def test_the_index_is_kept_between_calls_and_processes(people: Path, embedded: list[int]) -> None:
    find(bgr(1), people)
    assert sum(embedded) == 5
    find(bgr(1), people)
    assert sum(embedded) == 6
    forget()
    find(bgr(1), people)
    assert sum(embedded) == 7
    (file,) = people.glob("*.npz")
    assert file.name == ("mien_ds_model_mock_detector_mock_aligned_normalization_own_expand_0.npz")
    assert file.stat().st_mode & 0o077 == 0
    assert [path.name for path in people.iterdir() if path.suffix not in (".png", ".npz")] == []


@pytest.mark.parametrize("kept", [True, False])
def test_new_changed_and_deleted_photos_are_seen(
    people: Path, embedded: list[int], kept: bool
) -> None:
    find(bgr(1), people)
    cv2.imwrite(str(people / "5.png"), bgr(5))
    cv2.imwrite(str(people / "2.png"), bgr(6))
    (people / "3.png").unlink()
    if not kept:
        forget()
    embedded.clear()
    assert [names(rows) for rows in find(bgr(5), people)] == [["5.png"]]
    assert sum(embedded) == 3  # two photos, and the probe
    assert [names(rows) for rows in find(bgr(6), people)] == [["2.png"]]
    assert find(bgr(2), people) == find(bgr(3), people) == [[]]


def test_only_content_counts(people: Path, embedded: list[int]) -> None:
    find(bgr(1), people)
    embedded.clear()
    os.utime(people / "1.png", (1, 1))
    (people / "2.png").rename(people / "two.png")
    shutil.copy(people / "3.png", people / "again.png")
    moved = people.with_name("moved")
    shutil.copytree(people, moved)
    for folder in (people, moved):
        assert names(find(bgr(2), folder)[0]) == ["two.png"]
        assert sorted(names(find(bgr(3), folder)[0])) == ["3.png", "again.png"]
    assert sum(embedded) == 4  # the probes


def test_a_photo_of_the_same_size_and_time_is_seen(people: Path) -> None:
    small, large = (people / f"{i}.bmp" for i in (7, 8))
    cv2.imwrite(str(small), bgr(7))
    find(bgr(7), people)
    at = small.stat()
    cv2.imwrite(str(large), bgr(8))
    small.write_bytes(large.read_bytes())
    large.unlink()
    os.utime(small, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert small.stat().st_size == at.st_size
    assert names(find(bgr(8), people)[0]) == ["7.bmp"]


def test_without_refreshing_the_folder_is_as_it_was(people: Path) -> None:
    with pytest.raises(DeepFace.exceptions.EmptyDatasource, match="No item found in 'people'"):
        find(bgr(1), people, refresh_database=False)
    find(bgr(1), people)
    (file,) = people.glob("*.npz")
    before = file.read_bytes()
    (people / "1.png").unlink()
    assert names(find(bgr(1), people, refresh_database=False)[0]) == ["1.png"]
    forget()
    assert names(find(bgr(1), people, refresh_database=False)[0]) == ["1.png"]
    assert file.read_bytes() == before


def test_photos_that_show_nobody_or_are_none_are_looked_at_once(
    people: Path, embedded: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    cv2.imwrite(str(people / "nobody.png"), np.full((80, 80, 3), 225, np.uint8))
    (people / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (people / "empty.jpg").touch()
    (people / "notes.txt").write_text("no photo")
    with caplog.at_level(logging.WARNING):
        assert len(find(bgr(1), people, similarity_search=True)[0]) == 4
    assert {record.message.split(" ")[0] for record in caplog.records} == {
        "nobody.png",
        "broken.jpg",
        "empty.jpg",
    }
    caplog.clear()
    forget()
    find(bgr(1), people)
    assert caplog.records == []


def test_a_folder_of_nobody(tmp_path: Path) -> None:
    with pytest.raises(DeepFace.exceptions.EmptyDatasource):
        find(bgr(1), tmp_path)
    cv2.imwrite(str(tmp_path / "nobody.png"), np.full((80, 80, 3), 225, np.uint8))
    assert find(bgr(1), tmp_path) == [[]]


@pytest.mark.parametrize("folder", ["nowhere", "", b"bytes", "s3://bucket/x", "FTP://x/y"])
def test_folders_that_are_none(folder: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="db_path") as caught:
        DeepFace.find(bgr(1), folder, return_type="dict")
    kinds = (DeepFace.exceptions.PathNotFound, DeepFace.exceptions.UnimplementedError)
    assert isinstance(caught.value, kinds)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", b"\x80\x04pickle"])
def test_a_damaged_index_is_made_again(people: Path, damage: bytes) -> None:
    find(bgr(1), people)
    (file,) = people.glob("*.npz")
    whole = file.read_bytes()
    for content in (damage, whole[: len(whole) // 2], whole[:-30]):
        file.write_bytes(content)
        forget()
        assert names(find(bgr(1), people)[0]) == ["1.png"]


@pytest.mark.parametrize(
    "change",
    [
        {"embedding": np.zeros((4, 3), np.float32)},
        {"embedding": np.full((4, 64), np.nan, np.float32)},
        {"owner": np.array([0, 1, 2, 99])},
        {"owner": np.array([0.0, 1, 2, 3])},
        {"area": np.zeros((4, 2), np.int64)},
        {"key": np.array("{}")},
        {"key": np.array("no json")},
        {"path": np.array(["a"])},
        {"sha256": np.array([None], dtype=object)},
        {"stamp": np.zeros(3)},
    ],
    ids=str,
)
def test_an_index_that_somebody_has_changed_is_not_believed(
    people: Path, change: dict[str, Any]
) -> None:
    find(bgr(1), people)
    (file,) = people.glob("*.npz")
    with np.load(file) as stored:
        arrays = {**stored, **change}
    np.savez(file, **arrays)
    forget()
    assert names(find(bgr(1), people)[0]) == ["1.png"]


def test_another_version_of_the_model_makes_its_own_index(
    people: Path, drawn: dict[str, Engine], embedded: list[int]
) -> None:
    find(bgr(1), people)
    drawn["mock"].embedder.contract = MockEmbedder(version=2).contract
    forget()
    embedded.clear()
    find(bgr(1), people)
    assert sum(embedded) == 5


def test_ways_of_embedding_do_not_mix(people: Path) -> None:
    find(bgr(1), people)
    find(bgr(1), people, align=False)
    find(bgr(1), people, enforce_detection=False)
    assert len(list(people.glob("*.npz"))) == 3


def test_a_folder_that_cannot_be_written_to(
    people: Path, monkeypatch: pytest.MonkeyPatch, embedded: list[int]
) -> None:
    def refuse(**options: object) -> None:
        raise PermissionError

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    assert names(find(bgr(1), people)[0]) == ["1.png"]
    embedded.clear()
    assert names(find(bgr(1), people)[0]) == ["1.png"]
    assert sum(embedded) == 1
    assert list(people.glob("*.npz")) == []


def test_folders_below_and_names_of_all_kinds(people: Path) -> None:
    below = people / "안나" / "a b"
    below.mkdir(parents=True)
    (below / "ü.PNG").write_bytes((people / "1.png").read_bytes())
    (below / os.fsdecode(b"\xff.png")).write_bytes((people / "1.png").read_bytes())
    for _ in range(2):
        forget()
        assert len(find(bgr(1), people)[0]) == 3
    assert str(below / "ü.PNG") in [row["identity"] for row in find(bgr(1), people)[0]]


def test_many_threads_embed_a_folder_once(people: Path, embedded: list[int]) -> None:
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(names(find(bgr(1), people)[0])))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["1.png"]] * 6
    assert sum(embedded) == 4 + 6


def test_a_process_that_dies_leaves_the_index_whole(people: Path) -> None:
    find(bgr(1), people)
    (file,) = people.glob("*.npz")
    before = file.read_bytes()
    code = (
        "import os, sys, numpy as np; from pathlib import Path;"
        "from mien.compat.deepface import folder;"
        "np.savez = lambda *a, **k: os._exit(9);"
        "folder.write(Path(sys.argv[1]), {}, folder.Known.nothing(3))"
    )
    died = subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    assert died.returncode == 9
    assert file.read_bytes() == before
    forget()
    assert names(find(bgr(1), people)[0]) == ["1.png"]


def test_few_folders_are_kept(tmp_path: Path, people: Path) -> None:
    for number in range(folder_index.KEPT + 2):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(people, copy)
        find(bgr(1), copy)
    assert len(folder_index._KEPT) == folder_index.KEPT


def test_a_metric_of_the_callers_own(people: Path) -> None:
    def matrix(folder: NDArray[Any], probes: NDArray[Any]) -> NDArray[Any]:
        assert (folder.shape, probes.shape) == ((4, 64), (1, 64))
        return np.abs(probes[:, None] - folder[None]).max(axis=2)

    (rows,) = find(bgr(2), people, distance_metric=matrix, threshold=0.5)
    assert names(rows) == ["2.png"]
    with pytest.raises(ValueError, match="Threshold must be specified"):
        find(bgr(2), people, distance_metric=matrix)
    with pytest.raises(DeepFace.exceptions.InvalidEmbeddingsShapeError):
        find(bgr(2), people, distance_metric=lambda a, b: 0.0, threshold=0.5)


def test_options_that_cannot_be(people: Path) -> None:
    for k in (0, -1, 1.5, True, "2"):
        with pytest.raises(errors.InvalidArgument, match="k is a whole number"):
            find(bgr(1), people, k=k)
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="npz"):
        find(bgr(1), people, datastore_format="csv")
    with pytest.raises(ValueError, match="Unsupported return_type"):
        DeepFace.find(bgr(1), people, return_type="numpy")


# ---------------------------------------------------------------- pandas


class Frame:
    """As much of a DataFrame as is needed here."""

    def __init__(self, rows: list[dict[str, Any]], columns: list[str]) -> None:
        self.rows, self.columns = rows, columns


@pytest.fixture
def pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("pandas")
    module.DataFrame = Frame
    module.__spec__ = object()
    monkeypatch.setitem(sys.modules, "pandas", module)


def test_with_pandas_the_answer_is_frames(people: Path, pandas: None) -> None:
    for frames in (
        DeepFace.find(bgr(1), people),
        DeepFace.find(bgr(1), people, return_type="pandas"),
    ):
        assert [type(frame) for frame in frames] == [Frame]
        assert (frames[0].columns, len(frames[0].rows)) == (KEYS, 1)
    (frame,) = DeepFace.find(bgr(9), people)
    assert (frame.columns, frame.rows) == (KEYS, [])
    scalar = DeepFace.find(
        bgr(1), people, distance_metric=lambda a, b: np.abs(a - b).max(), threshold=0.5
    )
    assert len(scalar[0].rows) == 1


def test_without_pandas_the_answer_is_dicts(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(DeepFace.find(bgr(1), people)[0], list)
    with pytest.raises(ImportError, match="pip install pandas") as caught:
        DeepFace.find(bgr(1), people, return_type="pandas")
    assert isinstance(caught.value, ValueError)
