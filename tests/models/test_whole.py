"""Torn files are told from whole ones."""

import importlib.util

import pytest

from mien.errors import RuntimeUnavailable
from mien.models.cache import Cache
from mien.models.runtimes import Runtimes
from mien.models.whole import is_whole


def test_a_net_is_whole_and_a_part_of_it_is_not(net, tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(net)
    assert is_whole(file)
    whole_fields = 0
    for size in range(len(net)):
        file.write_bytes(net[:size])
        whole_fields += is_whole(file)
    assert whole_fields <= 4  # cut exactly between two of its few fields


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 100, b"text", b"\xff" * 100, b"\x0a\xff", b"\x0a\x05abc", b"\x0b"]
)
def test_what_is_no_net(tmp_path, data):
    (tmp_path / "net.onnx").write_bytes(data)
    assert not is_whole(tmp_path / "net.onnx")
    assert not is_whole(tmp_path / "gone.onnx")


def test_the_default_models_are_whole(models):
    for key in ("detect/yunet", "embed/sface"):
        assert is_whole(models.path(models.card(key)))


@pytest.mark.parametrize("runtime", ["auto", "openvino", "onnxruntime"])
def test_no_library_says_what_it_makes_of_a_torn_file(models, tmp_path, capfd, runtime):
    if runtime == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("there is no OpenVINO wheel for this machine")
    card = models.card("sface")
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(models.path(card).read_bytes()[:100_000])
    options = {"runtime": runtime, "precision": "float32", "threads": 1, "streams": 1}
    with pytest.raises(RuntimeUnavailable, match="mien models verify embed/sface"):
        Runtimes(Cache(tmp_path)).open(card, torn, **options)
    assert capfd.readouterr() == ("", "")
