"""From nets and evidence to a verdict; drawn photos, and the few real attacks that are at hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mien import config
from mien.engine import Engine
from mien.errors import InvalidArgument, ModelUnavailable, UnknownModel, WeightsMissing
from mien.liveness import THRESHOLDS, PassiveLiveness, names, stricter
from mien.liveness.evidence import frame_edges, moire_peak
from mien.liveness.minifasnet import MiniFASNet
from mien.models import ModelStore
from mien.testing import MockLivenessNet, MockSession
from mien.types import Box

FACE = Box(200, 160, 280, 260)


def scene(size_hw=(480, 480)):
    """Blobs without a straight line, and noise."""
    random = np.random.default_rng(4)
    rough = random.integers(40, 220, (6, 6, 3), np.uint8)
    smooth = cv2.resize(rough, size_hw[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return np.clip(smooth + random.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)


def framed(photo, box, colour=(20, 20, 22)):
    out = photo.copy()
    cv2.rectangle(out, (int(box.x0), int(box.y0)), (int(box.x1), int(box.y1)), colour, 12)
    return out


def check(*scores, image=None, box=FACE, condition="balanced"):
    nets = [MockLivenessNet(score, name=f"net{i}") for i, score in enumerate(scores)]
    photo = scene() if image is None else image
    return PassiveLiveness(nets).check(photo, box, condition=condition)


# ------------------------------------------------------------------ verdicts


@pytest.mark.parametrize("condition", THRESHOLDS)
def test_the_mean_of_the_nets_decides(condition):
    least = THRESHOLDS[condition]
    told = check(least - 0.1, least + 0.1, condition=condition)
    assert (told.verdict, told.reasons, told.live) == ("live", (), True)
    assert told.score == pytest.approx(least)
    assert told.nets == {"net0": pytest.approx(least - 0.1), "net1": pytest.approx(least + 0.1)}
    told = check(least - 0.1, least + 0.08, condition=condition)
    assert (told.verdict, told.reasons, told.live) == ("spoof", ("nets_see_an_attack",), False)


def test_conditions_ask_more_and_more():
    assert THRESHOLDS["weak"] < THRESHOLDS["balanced"] < THRESHOLDS["strict"]
    assert stricter(("off", "strict"), ("enforce", "weak")) == ("enforce", "strict")


def test_too_little_around_the_face_is_no_answer():
    box = Box(50, 50, 50 + 479 / 1.29, 50 + 479 / 1.29)
    told = check(1.0, 1.0, box=box)
    assert (told.verdict, told.live) == ("undetermined", False)
    assert told.reasons[0] == "not_enough_surroundings"
    assert told.context == pytest.approx(1.29, abs=0.01)
    told = check(1.0, 1.0, box=Box(50, 50, 50 + 479 / 1.31, 50 + 479 / 1.31))
    assert told.verdict == "live"


def test_a_frame_around_the_face_outweighs_the_nets():
    told = check(1.0, 1.0, image=framed(scene(), Box(120, 60, 360, 420)))
    assert told.verdict == "spoof"
    assert told.reasons == ("device_or_paper_edges",)
    assert told.evidence["edges"] > 0.9


def test_a_pattern_of_pixels_outweighs_the_nets():
    x, y = np.meshgrid(np.arange(480), np.arange(480))
    grid = 12 * np.cos(2 * np.pi * (0.21 * x + 0.13 * y))[..., None]
    told = check(1.0, 1.0, image=np.clip(scene() + grid, 0, 255).astype(np.uint8))
    assert (told.verdict, told.reasons) == ("spoof", ("moire",))


def test_an_unknown_condition():
    with pytest.raises(InvalidArgument, match="weak, balanced, strict"):
        check(1.0, condition="harsh")


def test_a_document_of_a_verdict():
    told = check(0.1, 0.3).to_dict()
    assert told["live"] is False
    assert told["nets"] == {"net0": 0.1, "net1": 0.3}
    assert (told["score"], told["threshold"], told["context"]) == (0.2, 0.4, 4.0)


# ------------------------------------------------------------------ evidence


def test_edges_of_the_scene_are_no_frame():
    photo = scene()
    photo[:, 60:75] = 10  # a door post on each side goes on where a device would end
    photo[:, 420:435] = 10
    assert frame_edges(photo, FACE) < 0.6
    assert frame_edges(scene(), FACE) < 0.3


def test_padding_is_no_frame():
    inner = scene((300, 300))
    level = cv2.copyMakeBorder(inner, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    assert frame_edges(level, Box(180, 170, 250, 250)) < 0.6
    turn = cv2.getRotationMatrix2D((240, 240), 6, 0.7)
    turned = cv2.warpAffine(scene(), turn, (480, 480))
    assert frame_edges(turned, Box(210, 200, 270, 280)) < 0.6


@pytest.mark.parametrize("size_hw", [(16, 16), (64, 500), (150, 150)])
def test_small_photos_show_no_pattern(size_hw):
    assert moire_peak(np.zeros((*size_hw, 3), np.uint8), Box(2, 2, 9, 9)) == 0


def test_noise_is_no_pattern():
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8)
    assert moire_peak(noise, Box(100, 100, 110, 110)) < 1.5


# ------------------------------------------------------------------ the published nets


def test_a_net_gets_blue_green_red_from_0_to_255():
    session = MockSession({"logit": np.array([[0.0, np.log(2), 0.0]], np.float32)}, ["image"])
    photo = np.zeros((100, 100, 3), np.uint8)
    photo[:] = (10, 20, 250)
    net = MiniFASNet("minifasnet-v2", session)
    assert net.live_score(photo, Box(40, 40, 60, 60)) == pytest.approx(0.5)
    (call,) = session.calls
    assert call["image"].shape == (1, 3, 80, 80)
    np.testing.assert_array_equal(call["image"][0, :, 0, 0], [250, 20, 10])


def test_a_net_that_is_not_known():
    with pytest.raises(UnknownModel, match="minifasnet-v2"):
        MiniFASNet("minifasnet-v9", MockSession({"logit": np.zeros((1, 3), np.float32)}))


def test_without_weights_and_network(tmp_path):
    settings = config.load(
        cache_dir=tmp_path, offline=True, models_mirror="", liveness_fallback=False
    )
    with pytest.raises(WeightsMissing, match="mien models pull") as caught:
        PassiveLiveness.load(ModelStore(settings))
    assert isinstance(caught.value, ModelUnavailable)
    assert str(tmp_path) not in caught.value.message
    with Engine(settings=settings) as engine, pytest.raises(WeightsMissing):
        _ = engine.liveness


def test_both_nets_are_registered():
    assert {"minifasnet-v2", "minifasnet-v1se"} <= {*names()}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("photo", "live"),
    [("image_T1", True), ("image_F1", False), ("image_F2", False), ("inspireface_rgb_fake", False)],
)
def test_real_attacks_and_a_live_face(photo, live, live_engine, shared_data):
    (face,) = live_engine.check_liveness(shared_data / "spoof_minivision" / f"{photo}.jpg")
    told = face["liveness"]
    assert told.live is live
    assert told.verdict == ("live" if live else "spoof")
    assert {*told.nets} == {"minifasnet-v2", "minifasnet-v1se"}
