"""Watching: one frame of a sequence, seen with all that checks over time want to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.attributes import FaceView
from mien.engine import looking
from mien.engine.living import LivenessCheck
from mien.errors import InvalidArgument
from mien.image import ImageInput
from mien.landmarks.blendshapes import MOVEMENTS
from mien.landmarks.pose import head_pose
from mien.liveness.sequence import (
    Check,
    ClipVerdict,
    SequenceFrame,
    continuity_checks,
    identity_check,
    order_checks,
    picture_checks,
    verdict_of,
)
from mien.liveness.sequence.frame import digest_of, reduced
from mien.match.decision import for_verification
from mien.types import Embeddings

if TYPE_CHECKING:
    from mien.engine.photos import PhotoEngine

__all__ = ["MAX_CLIP", "check_clip", "observe", "same_face"]

MESH_POINTS = 478
MAX_CLIP = 600
"""Frames of a clip at most."""


def observe(
    engine: PhotoEngine,
    image: ImageInput,
    *,
    time_s: float,
    received_s: float = float("nan"),
    embed: bool = True,
    check: LivenessCheck | None = None,
    mirrored: bool = False,
) -> SequenceFrame:
    """What a frame shows.

    Args:
        engine: whose models look at it.
        image: the frame.
        time_s: of the camera, seconds.
        received_s: seconds since the session was made.
        embed: whether the face is embedded.
        check: passive liveness; None or ``off``: nobody looks.
        mirrored: the frame is a mirror image, as front cameras show it: it is turned back first.

    Raises:
        ImageError: it cannot be used.
        ModelError: a model cannot be had or run.
    """
    photo = engine.photo(image)
    if mirrored:
        photo = engine.photo(np.ascontiguousarray(photo.pixels()[:, ::-1]))
    pixels = photo.pixels()
    found = looking.detect(engine, photo)
    face = found.faces[0] if len(found.faces) else None
    view, blocks, patch, matrix = reduced(pixels, None if face is None else face.landmarks)
    points = np.full((MESH_POINTS, 3), np.nan, np.float32)
    movements = np.full(len(MOVEMENTS), np.nan, np.float32)
    pose, box = np.full(3, np.nan, np.float32), np.full(4, np.nan, np.float32)
    live, embedded = (
        np.full(2, np.nan, np.float32),
        Embeddings(np.zeros((1, 0), np.float32), np.full(1, np.nan, np.float32)),
    )
    if face is not None:
        box = found.faces.box_xyxy[0]
        seen, reader = FaceView(pixels, face), engine.mesh_reader
        mesh = reader.mesh(seen)
        points, pose = mesh.points[0], head_pose(mesh)[0]
        movements = reader.movements(seen).score[0]
        if embed:
            embedded = looking.embed(engine, photo, found.faces.take([0]))
        if check is not None and check.looks:
            told = engine.liveness.check(pixels, face.box, condition=check.condition)
            live = np.array([told.score, told.verdict != "undetermined"], np.float32)
    return SequenceFrame(
        time_s=float(time_s),
        received_s=float(received_s),
        digest=digest_of(pixels),
        size_hw=np.array(pixels.shape[:2], np.int32),
        faces=np.array([len(found.faces)], np.int32),
        view=view,
        blocks=blocks,
        box=box,
        points=points,
        movements=movements,
        pose=pose,
        patch=patch,
        matrix=matrix,
        vector=embedded.vector[0],
        norm=embedded.norm,
        live=live,
    )


def check_clip(
    engine: PhotoEngine,
    frames: Sequence[ImageInput],
    *,
    times_s: Sequence[float] | None,
    check: LivenessCheck,
    compressed: bool = False,
) -> ClipVerdict:
    """See :meth:`mien.Engine.check_liveness_clip`.

    Args:
        engine: whose models look.
        frames, times_s: as there.
        check: its condition counts.
        compressed: the frames come from a video file.
    """
    if not 2 <= len(frames) <= MAX_CLIP:
        raise InvalidArgument(
            f"A clip has 2 to {MAX_CLIP} frames, not {len(frames)}.", details={"max": MAX_CLIP}
        )
    if times_s is not None and len(times_s) != len(frames):
        raise InvalidArgument(f"{len(frames)} frames need {len(frames)} times.")
    times = [float("nan")] * len(frames) if times_s is None else [float(t) for t in times_s]
    seen = engine.map(
        lambda pair: observe(engine, pair[0], time_s=pair[1], check=check),
        list(zip(frames, times, strict=True)),
    )
    checks = [
        *order_checks(seen, min_frames=2),
        *continuity_checks(seen),
        same_face(engine, seen),
        *picture_checks(seen, compressed=compressed),
    ]
    return verdict_of(seen, checks, condition=check.condition)


def same_face(
    engine: PhotoEngine, frames: Sequence[SequenceFrame], *, fmr: float | None = None
) -> Check:
    """Whether all faces are one person's, at a false-match rate of one frame (default 1e-3).

    Where the recognition model is not calibrated nothing can be said.
    """
    calibration = engine.calibration
    if calibration is None:
        return Check("identity", None, "another_face")
    decision = for_verification(calibration, fmr=fmr)
    return identity_check(
        frames,
        lambda similarity, a, b: float(calibration.confidence(similarity, a, b)),
        decision.threshold,
    )
