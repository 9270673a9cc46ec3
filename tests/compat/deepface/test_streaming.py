"""stream, on small videos that are made here."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mien import errors
from mien.compat import deepface as DeepFace  # noqa: N812
from mien.compat.deepface import streaming, video
from mien.testing import drawn_face

FPS = 10


@pytest.fixture
def headless(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (video, streaming):
        monkeypatch.setattr(module, "can_show", lambda: False)


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., str]:
    """A video of drawn people; 0 is nobody."""

    def make(people: list[int]) -> str:
        path = tmp_path / "film.avi"
        code = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(path), code, FPS, (320, 240))
        for identity in people:
            frame = drawn_face(identity) if identity else np.full((240, 320, 3), 225, np.uint8)
            writer.write(np.ascontiguousarray(frame[..., ::-1]))
        writer.release()
        return str(path)

    return make


def frames(path: Path) -> list[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(path))
    assert round(capture.get(cv2.CAP_PROP_FPS)) == FPS
    found = []
    while (read := capture.read())[0]:
        found.append(np.asarray(read[1]))
    capture.release()
    return found


@pytest.fixture
def labels(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was written on each picture."""
    told: list[list[str]] = []
    drawn = streaming._drawn

    def remembered(frame: Any, seen: Any, labels: list[str]) -> Any:
        told.append(labels)
        return drawn(frame, seen, labels)

    monkeypatch.setattr(streaming, "_drawn", remembered)
    return told


def test_people_are_named_and_described(
    people: Path, film: Callable[..., str], tmp_path: Path, headless: None, labels: list[list[str]]
) -> None:
    out = tmp_path / "new" / "out.mp4"
    assert (
        DeepFace.stream(
            str(people),
            source=film([2] * 30),
            output_path=str(out),
            time_threshold=1,
            frame_threshold=4,
        )
        is None
    )
    assert len(frames(out)) == 30
    # Three frames with a box; the fourth says who it is and stands for a second of the video.
    said = ["2.png 100%, 31, Man, happy"]
    assert labels == [[""], [""], [""], said] * 2 + [[""], [""]]


def test_the_pause_shows_one_picture(
    film: Callable[..., str], tmp_path: Path, headless: None
) -> None:
    out = tmp_path / "out.mp4"
    DeepFace.stream(source=film([1] * 16), output_path=out, time_threshold=1, frame_threshold=2)
    shown = frames(out)
    change = [np.abs(a.astype(int) - b).mean() for a, b in itertools.pairwise(shown)]
    assert max(change[1:10]) < 1 < change[0]


def test_nobody_is_nobody(
    people: Path, film: Callable[..., str], tmp_path: Path, headless: None, labels: list[list[str]]
) -> None:
    DeepFace.stream(
        str(people), source=film([0] * 6), output_path=tmp_path / "o.mp4", frame_threshold=1
    )
    assert labels == [[]] * 6


def test_faces_in_a_row_are_counted_anew(
    film: Callable[..., str], tmp_path: Path, headless: None, labels: list[list[str]]
) -> None:
    DeepFace.stream(
        source=film([1, 1, 0, 1, 1]),
        output_path=tmp_path / "o.mp4",
        frame_threshold=3,
        enable_face_analysis=False,
    )
    assert labels == [[""], [""], [], [""], [""]]


def test_strangers_have_no_name(
    people: Path, film: Callable[..., str], tmp_path: Path, headless: None, labels: list[list[str]]
) -> None:
    DeepFace.stream(
        str(people),
        source=film([9]),
        output_path=tmp_path / "o.mp4",
        frame_threshold=0,
        enable_face_analysis=False,
    )
    assert labels == [[""]]


def test_debug_keeps_what_was_analysed(
    film: Callable[..., str], tmp_path: Path, headless: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    DeepFace.stream(source=film([1, 1]), output_path="o.mp4", frame_threshold=2, debug=True)
    assert cv2.imread("freezed_1.jpg") is not None


def test_a_window_shows_until_q_is_pressed(
    film: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[int] = []
    monkeypatch.setattr(video, "can_show", lambda: True)
    monkeypatch.setattr(cv2, "imshow", lambda title, frame: shown.append(frame.shape[1]))
    monkeypatch.setattr(cv2, "waitKey", lambda ms: ord("q") if len(shown) == 3 else -1)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: shown.append(0))
    DeepFace.stream(source=film([1] * 9))
    assert shown == [320, 320, 320, 0]


def test_without_a_window_there_must_be_a_file(film: Callable[..., str], headless: None) -> None:
    with pytest.raises(DeepFace.exceptions.UnimplementedError, match="output_path"):
        DeepFace.stream(source=film([1]))


@pytest.mark.parametrize("source", ["nowhere.mp4", 4711, "4711"])
def test_sources_that_are_not_there(source: Any, tmp_path: Path, headless: None) -> None:
    with pytest.raises(DeepFace.exceptions.ImgNotFound, match="cannot be opened"):
        DeepFace.stream(source=source, output_path=tmp_path / "o.mp4")


def test_sources_that_are_none(tmp_path: Path, headless: None) -> None:
    with pytest.raises(errors.InvalidArgument, match="number of a camera"):
        DeepFace.stream(source=None, output_path=tmp_path / "o.mp4")


def test_files_that_cannot_be_written(
    film: Callable[..., str], tmp_path: Path, headless: None
) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "o.mp4", tmp_path / "o.nothing"):
        with pytest.raises(errors.InvalidArgument, match="output_path"):
            DeepFace.stream(source=film([1]), output_path=path)


def test_a_folder_of_nobody_names_nobody(
    film: Callable[..., str], tmp_path: Path, headless: None
) -> None:
    (tmp_path / "empty").mkdir()
    DeepFace.stream(
        tmp_path / "empty", source=film([1]), output_path=tmp_path / "o.mp4", frame_threshold=1
    )
    with pytest.raises(DeepFace.exceptions.PathNotFound):
        DeepFace.stream(tmp_path / "no", source=film([1]), output_path=tmp_path / "o.mp4")


def test_whether_there_is_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:   NONE\n")
    assert not video.can_show()
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:   QT5\n")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    assert video.can_show()
    monkeypatch.delenv("DISPLAY")
    assert not video.can_show()
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert video.can_show()
