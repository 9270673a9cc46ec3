"""SequenceFrame: what is kept of one frame, so that checks over time need no pictures.

A frame of a session may come in a request of its own, to another process than the frame before:
what is kept must be small, and enough for every check. It is biometric data all the same, and is
stored sealed and only until the session has its result (docs/challenge.md).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align import similarity_transform
from mien.errors import InvalidArgument
from mien.types import RGB

__all__ = ["PATCH_SIDE", "SequenceFrame", "digest_of", "pack", "reduced", "unpack"]

VIEW_HW = (48, 64)
GRID_HW = (12, 16)
BLOCK = 8
PATCH_SIDE = 128
# Where the five points of a face lie in its patch, as a share of the side: room around them for a
# turned head.
PLACE = np.array([[0.375, 0.4], [0.625, 0.4], [0.5, 0.53], [0.4, 0.66], [0.6, 0.66]], np.float32)

Grey = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SequenceFrame:
    """One frame.

    Attributes:
        time_s: of the camera, seconds.
        received_s: of whoever took it in, seconds since the session was made; NaN: not known.
        digest: ``(32,)`` uint8, SHA-256 of its pixels.
        size_hw: ``(2,)`` int32.
        faces: ``(1,)`` int32: how many were found; what follows is of the largest one.
        view: ``(48, 64)`` grey: the whole frame, small.
        blocks: ``(192, 8, 8)`` grey: squares of the frame, unscaled, evenly spread.
        box: ``(4,)`` pixels; NaN without a face, as all floats below.
        points: ``(478, 3)`` pixels.
        movements: ``(52,)`` 0..1.
        pose: ``(3,)`` yaw, pitch, roll in degrees.
        patch: ``(128, 128)`` grey: the face, brought upright and to size by its five points.
        matrix: ``(2, 3)`` from the frame's pixels to the patch's.
        vector: ``(d,)`` embedding.
        norm: ``(1,)`` of the embedding.
        live: ``(2,)``: score of passive liveness, and 1 if it could be said at all, else 0; NaN
            where nobody looked.
    """

    time_s: float
    received_s: float
    digest: NDArray[np.uint8]
    size_hw: NDArray[np.int32]
    faces: NDArray[np.int32]
    view: Grey
    blocks: Grey
    box: Floats
    points: Floats
    movements: Floats
    pose: Floats
    patch: Grey
    matrix: Floats
    vector: Floats
    norm: Floats
    live: Floats

    @property
    def has_face(self) -> bool:
        """Whether a face was found."""
        return bool(self.faces[0])

    @property
    def patch_points(self) -> Floats:
        """``(478, 2)``: the mesh in the patch's pixels."""
        return self.points[:, :2] @ self.matrix[:, :2].T + self.matrix[:, 2]

    @property
    def scale(self) -> float:
        """Size of the head in the frame, pixels: whichever way it looks."""
        centred = self.points - self.points.mean(axis=0)
        return float(np.sqrt((centred**2).sum(axis=1).mean()))


def digest_of(image: RGB) -> NDArray[np.uint8]:
    """``(32,)``: SHA-256 of the pixels, whatever file they came in."""
    size = np.array(image.shape[:2], np.int32).tobytes()
    found = hashlib.sha256(size + np.ascontiguousarray(image).tobytes()).digest()
    return np.frombuffer(found, np.uint8)


def reduced(image: RGB, points5: NDArray[np.float32] | None) -> tuple[Grey, Grey, Grey, Floats]:
    """View, blocks, patch and the patch's matrix of a frame; see :class:`SequenceFrame`.

    Args:
        image: RGB ``(height, width, 3)`` uint8.
        points5: ``(5, 2)`` of the face; None: there is none.

    Raises:
        InvalidArgument: the frame is smaller than 64 x 48 pixels.
    """
    height, width = image.shape[:2]
    if height < VIEW_HW[0] or width < VIEW_HW[1]:
        raise InvalidArgument(
            f"A frame of a sequence has at least {VIEW_HW[1]} x {VIEW_HW[0]} pixels."
        )
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    view = np.asarray(cv2.resize(grey, VIEW_HW[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    rows = np.linspace(0, height - BLOCK, GRID_HW[0]).astype(int)
    columns = np.linspace(0, width - BLOCK, GRID_HW[1]).astype(int)
    blocks = np.stack([grey[y : y + BLOCK, x : x + BLOCK] for y in rows for x in columns])
    if points5 is None:
        none = np.zeros((PATCH_SIDE, PATCH_SIDE), np.uint8)
        return view, blocks, none, np.full((2, 3), np.nan, np.float32)
    matrix = similarity_transform(points5, PLACE * PATCH_SIDE)
    patch = cv2.warpAffine(grey, matrix, (PATCH_SIDE, PATCH_SIDE), flags=cv2.INTER_LINEAR)
    return view, blocks, np.asarray(patch, np.uint8), matrix.astype(np.float32)


def pack(frames: Sequence[SequenceFrame]) -> bytes:
    """Frames as bytes, for :func:`unpack`."""
    arrays: dict[str, Any] = {
        f"{number}.{field.name}": np.asarray(getattr(frame, field.name))
        for number, frame in enumerate(frames)
        for field in fields(SequenceFrame)
    }
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def unpack(packed: bytes) -> list[SequenceFrame]:
    """Frames out of the bytes of :func:`pack`."""
    names = [field.name for field in fields(SequenceFrame)]
    frames = []
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        for number in range(len(arrays.files) // len(names)):
            kept: dict[str, Any] = {name: arrays[f"{number}.{name}"] for name in names}
            times = {name: float(kept[name]) for name in ("time_s", "received_s")}
            frames.append(SequenceFrame(**{**kept, **times}))
    return frames
