"""Frames in, from a camera or a file; frames out, to a window or a file."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import numpy as np

from mien.compat.deepface.exceptions import ImgNotFound, UnimplementedError, error
from mien.errors import ImageNotFound, InvalidArgument
from mien.types import RGB

__all__ = ["Screen", "VideoFile", "VideoSource", "can_show"]

FPS = 25.0
"""Frames a second of a source that does not say."""


class VideoSource:
    """A camera, a video file or a stream that OpenCV opens.

    Args:
        source: number of a camera, or path or address of a video.

    Attributes:
        fps: frames a second.
        live: it is a camera: time goes on whether frames are read or not.

    Raises:
        ImageNotFound: it cannot be opened; also ``ImgNotFound``.
    """

    def __init__(self, source: Any) -> None:  # noqa: ANN401 - a number or a string
        text = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        self.live = text is None or text.isdigit()
        try:
            number = int(source) if self.live else 0
        except (TypeError, ValueError):
            raise InvalidArgument("source is the number of a camera, or a path.") from None
        self._capture = cv2.VideoCapture(number if self.live else str(text))
        if not self._capture.isOpened():
            raise error(
                ImageNotFound,
                ImgNotFound,
                "The video source cannot be opened: check the camera's number or the path.",
            )
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = float(fps) if math.isfinite(fps) and 0 < fps <= 1000 else FPS

    def __iter__(self) -> Iterator[RGB]:
        while True:
            read, frame = self._capture.read()
            if not read:
                return
            yield np.ascontiguousarray(frame[..., ::-1])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        caught: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._capture.release()


class VideoFile:
    """An mp4 file that frames are written to; it is made with the first frame.

    Args:
        path: where to; folders that are missing are made.
        fps: frames a second.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float) -> None:
        self._path = Path(path)
        self._fps = fps
        self._writer: cv2.VideoWriter | None = None

    def show(self, frame: RGB) -> bool:
        """Write a frame; the answer is always to go on.

        Raises:
            InvalidArgument: the file cannot be written.
        """
        if self._writer is None:
            self._writer = self._opened(frame.shape[1], frame.shape[0])
        self._writer.write(np.ascontiguousarray(frame[..., ::-1]))
        return True

    def _opened(self, width: int, height: int) -> cv2.VideoWriter:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            raise InvalidArgument("The folder of output_path cannot be made.") from None
        code = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self._path), code, self._fps, (width, height))
        if not writer.isOpened():
            raise InvalidArgument("output_path cannot be written as a video: give a path in .mp4.")
        return writer

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()


class Screen:
    """A window; the key q ends.

    Raises:
        InvalidArgument: there is no window to be had; also ``UnimplementedError``.
    """

    TITLE = "img"

    def __init__(self) -> None:
        if not can_show():
            raise error(
                InvalidArgument,
                UnimplementedError,
                "No window can be shown: this OpenCV has none, or there is no display. Give "
                "output_path, or install opencv-python instead of opencv-python-headless.",
            )

    def show(self, frame: RGB) -> bool:
        """Show a frame; False where the user has pressed q."""
        cv2.imshow(self.TITLE, np.ascontiguousarray(frame[..., ::-1]))
        return cv2.waitKey(1) & 0xFF != ord("q")

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()


def can_show() -> bool:
    """Whether OpenCV can open a window here; on Linux without a display it would end Python."""
    for line in cv2.getBuildInformation().splitlines():
        name, _, value = line.strip().partition(":")
        if name == "GUI" and value.strip().upper() in ("NONE", "NO"):
            return False
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(display) or platform.system() != "Linux"
