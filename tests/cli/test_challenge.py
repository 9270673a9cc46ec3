"""mien challenge, and mien liveness on a clip."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

from mien.cli.run import Rooms
from mien.liveness import PassiveLiveness
from mien.testing import DrawnMesh, MockLivenessNet, challenge_frames, mock_engine


@pytest.fixture
def rooms():
    check = PassiveLiveness([MockLivenessNet(0.9)])
    return Rooms(
        engine=lambda settings, models: mock_engine(settings, liveness=check, mesh=DrawnMesh())
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "frames").mkdir()
    for i, picture in enumerate(challenge_frames(["turn_left"], frames_per_step=8)):
        Image.fromarray(picture).save(tmp_path / "frames" / f"{i:03}.png", compress_level=1)
    return tmp_path / "frames"


def film(path, pictures, *, fps=10):
    height, width = pictures[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (width, height))
    for picture in pictures:
        writer.write(np.ascontiguousarray(picture[..., ::-1]))
    writer.release()
    return path


def test_a_folder(mien, folder):
    told = mien("challenge", folder, "--steps", "turn_left", "--json")
    assert told.exit_code == 0, told.stdout
    assert told.document["passed"] is True
    wrong = mien("challenge", folder, "--steps", "turn_right")
    assert wrong.exit_code == 1
    assert "wrong_movement" in wrong.stdout
    assert "turn_right: failed" in wrong.stdout


def test_a_video(mien, tmp_path):
    clip = film(tmp_path / "clip.avi", challenge_frames(["turn_left"], frames_per_step=8))
    told = mien("challenge", clip, "--steps", "turn_left", "--liveness", "off", "--json").document
    assert told["passed"] is True, told
    (background,) = [one for one in told["checks"] if one["name"] == "background"]
    assert background["passed"] is None


def test_passive_clip(mien, folder):
    told = mien("liveness", folder, "--json")
    assert told.exit_code == 0, told.stdout
    assert told.document["verdict"] == "live"
    assert told.document["frames"] == 11
    files = sorted(folder.iterdir())
    assert mien("liveness", "--clip", *files[:4]).stdout.startswith("live 0.90 (4 frames)")
    still = mien("liveness", "--clip", *[files[0]] * 4, "--json")
    assert still.exit_code == 1
    assert "frozen" in still.document["reasons"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("nowhere", "--steps", "nod"), "image_not_found"),
        (("empty", "--steps", "nod"), "image_decode"),
        (("broken.mp4", "--steps", "nod"), "image_decode"),
        (("frames", "--steps", "jump"), "invalid_argument"),
        (("frames", "--steps", ""), "invalid_argument"),
        (("frames", "--steps", "nod", "--fps", "0"), "invalid_argument"),
        (("frames", "--steps", "nod", "--step-limit", "1"), "invalid_argument"),
        (("clip.avi", "--steps", "nod", "--fps", "9"), "invalid_argument"),
    ],
    ids=str,
)
def test_what_cannot_be(mien, folder, tmp_path, arguments, code):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    film(tmp_path / "clip.avi", challenge_frames([]))
    told = mien("challenge", *arguments)
    assert told.exit_code == 2
    assert told.stderr.startswith(f"mien: {code}:"), told.stderr


def test_a_video_of_more_than_a_minute(mien, tmp_path):
    tiny = [np.full((48, 64, 3), i % 250, np.uint8) for i in range(63)]
    clip = film(tmp_path / "long.avi", tiny, fps=1)
    told = mien("challenge", clip, "--steps", "nod")
    assert told.stderr.startswith("mien: image_too_large:"), told.stderr
