"""The probability: rises with the score, and follows Bayes where attacks are rarer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mien.errors import InvalidArgument
from mien.liveness import PassiveLiveness
from mien.liveness.probability import at_prior, probability
from mien.testing import MockLivenessNet
from mien.types import Box

BOTH = ("minifasnet-v1se", "minifasnet-v2")


@pytest.mark.parametrize("nets", [BOTH, ("student",)], ids=["both", "student"])
def test_it_rises_with_the_score_and_stays_a_probability(nets):
    told = [probability(score, nets) for score in np.linspace(0, 1, 101)]
    assert all(0 < one < 1 for one in told)
    assert all(a <= b for a, b in itertools.pairwise(told))
    assert told[-1] - told[0] > 0.5


def test_nets_that_were_not_calibrated_have_none():
    assert probability(0.9, ["minifasnet-v2"]) is None
    assert probability(0.9, []) is None


def test_bayes():
    assert at_prior(0.7, 0.5) == pytest.approx(0.7)
    assert at_prior(0.5, 0.1) == pytest.approx(0.9)
    assert at_prior(0.0, 0.01) == 0
    for share in (0, 1, -1, float("nan")):
        with pytest.raises(InvalidArgument):
            at_prior(0.5, share)


@pytest.mark.parametrize("name", ["mock", BOTH[0]])
def test_a_verdict_has_it_where_its_nets_have_one(name):
    photo = np.random.default_rng(0).integers(0, 255, (400, 400, 3)).astype(np.uint8)
    nets = [MockLivenessNet(0.9), MockLivenessNet(0.9)]
    nets[0].name, nets[1].name = BOTH if name in BOTH else (name, "other")
    told = PassiveLiveness(nets).check(photo, Box(150, 150, 250, 250))
    assert (told.probability is None) == (name == "mock")
    assert told.to_dict()["probability"] == (
        None if told.probability is None else round(told.probability, 4)
    )
    close = PassiveLiveness(nets).check(photo, Box(5, 5, 395, 395))
    assert close.verdict == "undetermined"
    assert close.probability is None
