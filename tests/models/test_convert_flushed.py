"""Weights too small to count: gone, and nothing else is."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from mien.errors import ConversionError
from mien.models.convert import converter
from mien.models.convert.flushed import LEAST


def weights_of(data):
    model = onnx.load_from_string(data)
    found = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return {name: value for name, value in found.items() if value.dtype == np.float32}


@pytest.mark.parametrize("name", ["age", "gender"])
def test_the_net_gives_the_same_numbers(models, name):
    card = models.card(name, "attributes")
    source = models.source_path(card).read_bytes()
    made = converter("flushed")(source)
    assert made == converter("flushed")(source)
    before, after = weights_of(source), weights_of(made)
    assert any(((np.abs(w) < LEAST) & (w != 0)).any() for w in before.values())
    for key, weight in after.items():
        assert not ((np.abs(weight) < LEAST) & (weight != 0)).any()
        kept = np.abs(before[key]) >= LEAST
        np.testing.assert_array_equal(weight[kept], before[key][kept])
    blob = np.random.default_rng(0).normal(0, 0.3, card.inputs["images"]).astype(np.float32)
    first, second = (
        ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"images": blob})
        for data in (source, made)
    )
    np.testing.assert_allclose(second[0], first[0], rtol=1e-5, atol=1e-9)


def test_other_files_are_refused():
    for data in (b"", b"not a net", bytes(100)):
        with pytest.raises(ConversionError):
            converter("flushed")(data)
