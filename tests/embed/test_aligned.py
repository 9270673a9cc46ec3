"""AlignedNet by itself, on a session that answers what it is told to."""

import numpy as np
import pytest

from mien.embed.aligned import AlignedNet
from mien.errors import InvalidArgument
from mien.models.card import EmbedderFacts, ModelCard, UrlSource
from mien.testing import MockSession
from mien.types import Box, Face

SHA256 = "5" * 64


def card_of(sha256=SHA256, **changes):
    facts = {
        "template": "box",
        "size_hw": (55, 47),
        "colour": "bgr",
        "mean": (1.0, 2.0, 3.0),
        "scale": 0.5,
        "dim": 3,
        "metric": "cosine",
        "preprocessing": 1,
    }
    return ModelCard(
        name="net",
        task="embed",
        title="A net",
        sources=(UrlSource("https://example.org/net.h5", sha256),),
        licence="CC0-1.0",
        commercial=True,
        origin="the tests",
        paper="",
        inputs={"input": (1, 3, 55, 47)},
        embedder=EmbedderFacts(**{**facts, **changes}),
    )


def means(inputs):
    """The mean of each channel, times four."""
    return {"mean": 4 * inputs["input"].mean(axis=(2, 3))}


def net_of(card, **options):
    session = MockSession(means, ["input"], ["mean"])
    return AlignedNet(card, session, **options), session


def coloured(dtype, *colour):
    return np.ones((2, 55, 47, 3), dtype) * np.array(colour, dtype)


def test_crops_are_prepared_as_the_card_says_and_inputs_are_not():
    net, session = net_of(card_of())
    made = net.embed(coloured(np.uint8, 30, 20, 10))
    assert session.calls[0]["input"][:, :, 5, 7].tolist() == [[4.5, 9, 13.5]] * 2
    given = net.forward(coloured(np.float32, 4.5, 9, 13.5))
    np.testing.assert_array_equal(session.calls[1]["input"], session.calls[0]["input"])
    np.testing.assert_array_equal(given.vector, made.vector)
    np.testing.assert_allclose(given.vector * given.norm[:, None], [[18, 36, 54]] * 2, rtol=1e-6)


def test_a_euclidean_net_gives_its_output_as_it_is():
    net, _ = net_of(card_of(metric="euclidean"))
    assert net.forward(coloured(np.float32, 1, 2, 3)).vector.tolist() == [[4, 8, 12]] * 2


def test_no_input_gives_no_template():
    net, session = net_of(card_of())
    assert net.forward(np.zeros((0, 55, 47, 3), np.float32)).vector.shape == (0, 3)
    assert session.calls == []


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 47, 55, 3), np.float32),
        np.zeros((1, 55, 47, 3), np.float64),
        np.zeros((1, 55, 47, 3), np.uint8),
        np.zeros((55, 47, 3), np.float32),
        np.zeros((1, 3, 55, 47), np.float32),
    ],
)
def test_other_inputs_are_refused(wrong):
    net, _ = net_of(card_of())
    with pytest.raises(InvalidArgument, match=r"float32 inputs \(n, 55, 47, 3\)"):
        net.forward(wrong)


def test_the_contract_is_of_the_file_that_was_fetched():
    net, _ = net_of(card_of(None), source_sha256="7" * 64)
    assert net.contract.source_sha256 == "7" * 64
    assert net_of(card_of(), source_sha256="7" * 64)[0].contract.source_sha256 == SHA256
    with pytest.raises(InvalidArgument, match="embed/net"):
        net_of(card_of(None))


def test_a_whitened_crop_has_mean_0_and_deviation_1():
    net, session = net_of(card_of(whitened=True, mean=(0.0, 0.0, 0.0), scale=1.0, colour="rgb"))
    crops = np.random.default_rng(0).integers(0, 256, (3, 55, 47, 3), np.uint8)
    crops[2] = 90  # of one colour: there is no deviation to divide by
    net.embed(crops)
    made = session.calls[0]["input"].transpose(0, 2, 3, 1)
    for crop, white in zip(crops[:2], made, strict=False):
        np.testing.assert_allclose(white, (crop - crop.mean()) / crop.std(), atol=1e-5)
    np.testing.assert_array_equal(made[2], 0)


def test_a_box_is_cut_out_larger_about_its_centre():
    image = np.zeros((100, 100, 3), np.uint8)
    image[30:70, 40:60] = 255
    face = Face(Box(40, 30, 60, 70), 0.9)
    plain, wide = (net_of(card_of(box_scale=scale))[0] for scale in (1.0, 1.25))
    columns = plain.crop(image, face)[27, :, 0]
    assert columns[:10].max() == 0
    assert columns[14:33].min() == 255
    assert plain.crop(image, face)[2:-2, 23].min() == 255  # the box fills the height
    rows = wide.crop(image, face)[:, 23, 0]
    assert rows[:4].max() == 0  # a tenth of the height is around it on each side
    assert rows[7:-7].min() == 255
    assert rows[-4:].max() == 0
