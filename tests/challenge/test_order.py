"""How rough a movement is, in order and shuffled: what docs/challenge.md says of ``smoothness``."""

from __future__ import annotations

import numpy as np
import pytest

from mien.liveness.sequence.order import ROUGHNESS, roughness
from mien.testing.animation import gestures

STEPS = ("turn_left", "nod", "blink", "turn_right")


def paths(frames_per_step, count=200):
    """How drawn heads turn, degrees, with the jitter of a mesh."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        made = gestures(
            [str(s) for s in rng.permutation(STEPS)[:3]], frames_per_step=frames_per_step
        )
        path = np.array([(one.yaw, one.pitch) for one in made])
        yield path + rng.normal(0, 0.4, path.shape)


@pytest.mark.parametrize("frames_per_step", [5, 6, 8, 10, 15])
def test_order_tells(frames_per_step):
    rng = np.random.default_rng(1)
    pairs = [(roughness(p), roughness(rng.permutation(p))) for p in paths(frames_per_step)]
    in_order, shuffled = np.array([pair for pair in pairs if None not in pair]).T
    assert in_order.max() <= 1.3
    assert np.mean(shuffled > ROUGHNESS) >= 0.95
    assert np.quantile(shuffled, 0.05) >= 1.45


def test_hardly_any_movement_says_nothing():
    rng = np.random.default_rng(0)
    assert roughness(rng.normal(0, 0.3, (40, 2))) is None
    assert roughness(np.zeros((2, 2))) is None
    smooth = np.stack([20 * np.sin(np.linspace(0, 6, 60)), np.zeros(60)], axis=1)
    assert roughness(smooth) < 0.3
