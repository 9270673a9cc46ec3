"""Clips: frames out of a folder or a video file, with their times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2

from mien.errors import ImageDecodeError, ImageNotFound, ImageTooLarge, InvalidArgument
from mien.image import ImageInput, ImageLimits

__all__ = ["MAX_FRAMES", "MAX_SECONDS", "Clip", "read_clip"]

MAX_FRAMES = 600
"""Frames of a clip at most."""

MAX_SECONDS = 60.0
"""Length of a video at most."""

KEPT_HZ = 10.0
"""Of a video, so many frames a second are looked at."""

DEFAULT_HZ = 10.0
PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames in order.

    Attributes:
        frames: seconds, and the frame.
        compressed: they come from a video file.
    """

    frames: list[tuple[float, ImageInput]]
    compressed: bool


def read_clip(path: Path, *, fps: float | None, limits: ImageLimits) -> Clip:
    """The frames of a folder, in the order of their names, or of a video file.

    Args:
        path: the folder or the file.
        fps: frames a second of a folder; None: 10. A video knows its own.
        limits: on the frames' size.

    Raises:
        ImageNotFound: there is nothing of that name.
        ImageDecodeError: no frame in it, or a file that cannot be read as a video.
        ImageTooLarge: more than 600 frames or a minute, or larger frames than allowed.
        InvalidArgument: a rate that cannot be, or one for a video.
    """
    if fps is not None and not 0 < fps <= 1000:
        raise InvalidArgument("--fps is more than 0 and at most 1000.")
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
        if not files:
            raise ImageDecodeError(f"There is no picture in {path.name!r}.")
        if len(files) > MAX_FRAMES:
            raise _too_long(path)
        step = 1 / (fps or DEFAULT_HZ)
        return Clip([(i * step, file) for i, file in enumerate(files)], False)
    if not path.is_file():
        raise ImageNotFound(f"There is no folder and no file {path.name!r}.")
    if fps is not None:
        raise InvalidArgument("A video knows its own rate: leave --fps away.")
    return Clip(list(_video(path, limits)), True)


def _video(path: Path, limits: ImageLimits) -> Iterator[tuple[float, ImageInput]]:
    capture = cv2.VideoCapture(str(path))
    try:
        rate = capture.get(cv2.CAP_PROP_FPS)
        width, height = (
            int(capture.get(what)) for what in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        if not capture.isOpened() or not 0 < rate <= 1000:
            raise ImageDecodeError(f"{path.name!r} cannot be read as a video.")
        if width * height > limits.max_pixels:
            raise ImageTooLarge(
                f"The video's frames have more than {limits.max_pixels} pixels.",
                details={"limit": limits.max_pixels},
            )
        yield from _kept(capture, rate, path)
    finally:
        capture.release()


def _kept(capture: cv2.VideoCapture, rate: float, path: Path) -> Iterator[tuple[float, ImageInput]]:
    number, due = 0, 0.0
    while capture.grab():
        time_s = number / rate
        if time_s > MAX_SECONDS:
            raise _too_long(path)
        if time_s >= due:
            there, frame = capture.retrieve()
            if not there:
                raise ImageDecodeError(f"{path.name!r} cannot be read to its end.")
            yield time_s, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            due += 1 / KEPT_HZ
        number += 1
    if number == 0:
        raise ImageDecodeError(f"There is no frame in {path.name!r}.")


def _too_long(path: Path) -> ImageTooLarge:
    return ImageTooLarge(
        f"{path.name!r} is too long: at most {MAX_FRAMES} frames and {MAX_SECONDS:g} seconds. "
        "Cut it, or take fewer frames.",
        details={"limit": MAX_FRAMES},
    )
