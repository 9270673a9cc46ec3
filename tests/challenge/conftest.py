"""A drawn person, watched once by an engine without weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mien import config
from mien.challenge import Plan, watch
from mien.engine import Engine, LivenessCheck
from mien.liveness import PassiveLiveness
from mien.testing import DrawnMesh, MockLivenessNet, challenge_frames, mock_engine

STEPS = ("turn_left", "blink", "nod")
OFF = LivenessCheck("off")


def timed(pictures, *, every_s=0.1):
    """Pictures with their times."""
    return [(i * every_s, picture) for i, picture in enumerate(pictures)]


@pytest.fixture(scope="session")
def engine() -> Engine:
    with mock_engine(
        config.Settings(threads=1),
        liveness=PassiveLiveness([MockLivenessNet(0.9)]),
        mesh=DrawnMesh(),
    ) as made:
        yield made


@pytest.fixture(scope="session")
def see(engine) -> Callable[..., list]:
    """What is kept of pictures, taken ten times a second."""

    def seen(pictures, *, every_s=0.1, **plan):
        wanted = Plan(steps=STEPS, liveness=OFF, **plan)
        return watch(engine, wanted, timed(pictures, every_s=every_s), received_s=60.0)

    return seen


@pytest.fixture(scope="session")
def pictures():
    return challenge_frames(STEPS)


@pytest.fixture(scope="session")
def frames(see, pictures):
    return see(pictures)
