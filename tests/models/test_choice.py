"""The choice of a runtime: measured once, kept, safe, and never in the way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien.errors import RuntimeUnavailable
from mien.models.cache import Cache
from mien.models.choice import Candidate, Choice, Timing, machine_digest, measure
from mien.models.runtimes import Runtimes
from mien.testing.session import MockSession

SLOW, QUICK = Candidate("openvino", "float32"), Candidate("onnxruntime", "float32")
TABLE = (Timing("openvino", "float32", 2.0), Timing("onnxruntime", "float32", 1.0))


def busy(milliseconds):
    def run(inputs):
        end = time.process_time() + milliseconds / 1e3
        while time.process_time() < end:
            pass
        return {"y": np.zeros(1, np.float32)}

    return MockSession(run, ["x"], ["y"])


def measured(costs):
    candidates = [Candidate(name, "float32") for name in costs]
    return measure({"x": [1]}, candidates, lambda c: costs[c.runtime])


def test_the_fastest_wins():
    choice = measured({"a": busy(6), "b": busy(3), "c": busy(9)})
    assert choice.runtime == "b"
    assert [t.runtime for t in choice.timings] == ["a", "b", "c"]
    assert choice.timings[1].cpu_ms == pytest.approx(3, abs=1)


def test_a_gain_within_the_noise_does_not_win():
    assert measured({"a": busy(10), "b": busy(9.7)}).runtime == "a"


def test_all_candidates_see_the_same_reference_input():
    sessions = {"a": busy(0), "b": busy(0)}
    measured(sessions)
    a, b = (session.calls[0]["x"] for session in sessions.values())
    np.testing.assert_array_equal(a, b)
    assert 0 <= a.min() <= a.max() <= 255


def test_a_candidate_that_fails_is_left_out():
    def fail(inputs):
        raise RuntimeError

    choice = measured({"a": MockSession(fail, ["x"], ["y"]), "b": busy(1)})
    assert choice.runtime == "b"
    assert len(choice.timings) == 1
    with pytest.raises(RuntimeError):
        measured({"a": MockSession(fail, ["x"], ["y"])})


def test_a_choice_is_kept_as_json():
    choice = Choice("onnxruntime", "float32", TABLE)
    assert Choice.from_json(choice.to_json()) == choice
    for broken in (b"", b"{", b"[]", b"{}", b'{"runtime": 1, "precision": 2, "timings": 3}'):
        with pytest.raises(ValueError, match=r"not a choice|Expecting|char"):
            Choice.from_json(broken)


@pytest.fixture
def card(kit):
    return kit.card_of(kit.archive_source(b"", "x", b""))


@pytest.fixture
def path(net, tmp_path):
    file = tmp_path / "tiny.onnx"
    file.write_bytes(net)
    return file


@pytest.fixture
def runtimes(tmp_path):
    return Runtimes(Cache(tmp_path / "cache"))


@pytest.fixture
def both(monkeypatch):
    """Both runtimes are there, and every measurement is counted and won by ONNX Runtime."""
    counted = []

    def measure_once(path, shapes, candidates, *, cache):
        counted.append(candidates)
        return Choice("onnxruntime", "float32", TABLE)

    monkeypatch.setattr("mien.models.runtimes.measure_in_child", measure_once)
    monkeypatch.setattr("mien.models.runtimes.importlib.util.find_spec", lambda name: name)
    return counted


def open_auto(runtimes, card, path, **changes):
    options = {"runtime": "auto", "precision": "auto", "threads": 1, "streams": 1}
    return runtimes.open(card, path, **{**options, **changes})


def test_it_is_measured_at_the_first_opening_only(runtimes, card, path, both, tmp_path):
    for _ in range(2):
        assert open_auto(runtimes, card, path).runtime == "onnxruntime"
    assert open_auto(Runtimes(Cache(tmp_path / "cache")), card, path).runtime == "onnxruntime"
    assert len(both) == 1
    stored = runtimes.stored(card, path, both[0])
    assert stored is not None
    assert stored.timings == TABLE


def test_nothing_is_measured_where_there_is_one_way(runtimes, card, path, both):
    assert open_auto(runtimes, card, path, runtime="onnxruntime").runtime == "onnxruntime"
    assert both == []


def test_it_is_measured_again_for_another_net_cpu_or_version(card, kit, monkeypatch):
    names = {machine_digest(card, "a", [SLOW, QUICK])}
    names.add(machine_digest(card, "b", [SLOW, QUICK]))
    names.add(machine_digest(card, "a", [SLOW]))
    names.add(machine_digest(kit.card_of(*card.sources, converter="x"), "a", [SLOW, QUICK]))
    monkeypatch.setattr("mien.models.choice.cpu_facts", lambda: ["another"])
    names.add(machine_digest(card, "a", [SLOW, QUICK]))
    monkeypatch.setattr("mien.models.choice.version_of", lambda name: "0")
    names.add(machine_digest(card, "a", [SLOW, QUICK]))
    assert len(names) == 6


def test_a_damaged_choice_is_measured_again(runtimes, card, path, both, tmp_path):
    open_auto(runtimes, card, path)
    (file,) = (tmp_path / "cache" / "choices").iterdir()
    file.write_bytes(b'{"runtime": "abacus", "precision": "float32", "timings": []}')
    open_auto(runtimes, card, path)
    file.write_bytes(b"\xff")
    open_auto(runtimes, card, path)
    assert len(both) == 3


def test_a_measurement_that_fails_falls_back(runtimes, card, path, both, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeUnavailable("broken off")

    monkeypatch.setattr("mien.models.runtimes.measure_in_child", fail)
    session = open_auto(runtimes, card, path)
    assert (session.runtime, session.precision) == ("onnxruntime", "float32")


def test_a_runtime_that_fails_to_open_falls_back(runtimes, card, path, both, monkeypatch):
    import mien.models.runtimes as module

    real = module.open_candidate

    def failing(candidate, *args, **kwargs):
        if candidate.runtime == "openvino":
            raise RuntimeUnavailable("not today")
        return real(candidate, *args, **kwargs)

    winner = Choice("openvino", "float32", TABLE)
    monkeypatch.setattr(module, "measure_in_child", lambda *args, **kwargs: winner)
    monkeypatch.setattr(module, "open_candidate", failing)
    assert open_auto(runtimes, card, path).runtime == "onnxruntime"
    with pytest.raises(RuntimeUnavailable, match="openvino"):
        open_auto(runtimes, card, path, runtime="openvino")


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_does_not_hinder(
    runtimes, card, path, both, monkeypatch, number
):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert open_auto(runtimes, card, path, runtime="auto").output_names == ("map", "mean")


def test_no_runtime_at_all(runtimes, card, monkeypatch):
    monkeypatch.setattr("mien.models.runtimes.importlib.util.find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match="not installed"):
        runtimes.candidates(card, runtime="auto", precision="auto")


@pytest.mark.parametrize(
    ("runtime", "precision", "expected"),
    [
        ("auto", "auto", ["openvino float32", "openvino bf16", "onnxruntime float32"]),
        ("auto", "float32", ["openvino float32", "onnxruntime float32"]),
        ("auto", "bf16", ["openvino bf16"]),
        ("openvino", "auto", ["openvino float32", "openvino bf16"]),
    ],
)
def test_candidates(runtimes, kit, both, runtime, precision, expected):
    card = kit.card_of(kit.archive_source(b"", "x", b""), precisions=("float32", "bf16"))
    found = runtimes.candidates(card, runtime=runtime, precision=precision)
    assert [f"{c.runtime} {c.precision}" for c in found] == expected


def test_a_precision_asked_for_by_the_call_is_not_replaced(kit, settings, published):
    store = kit.store_with(settings, published.card)
    with pytest.raises(RuntimeUnavailable, match="float32"):
        store.open(published.card, runtime="onnxruntime", precision="bf16")


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_the_settings_precision_is_for_the_cards_that_admit_it(kit, settings, published, precision):
    store = kit.store_with(settings.model_copy(update={"precision": precision}), published.card)
    assert store.precision_for(published.card) == "float32"
    assert store.open(published.card).precision == "float32"
    admitted = replace(published.card, precisions=("float32", precision))
    assert store.precision_for(admitted) == precision


def test_tune_measures_for_real(kit, settings, published):
    store = kit.store_with(settings, published.card)
    assert store.choice(published.card) is None
    choice = store.tune(published.card)
    assert choice.timings
    assert all(0 < timing.cpu_ms < 1000 for timing in choice.timings)
    stored = store.choice(published.card)
    if len(choice.timings) > 1:
        assert stored == choice
    session = store.open(published.card)
    assert (session.runtime, session.precision) == (choice.runtime, choice.precision)
    assert store.open(published.card) is session


TUNE = """
import sys
from pathlib import Path
from mien.models.cache import Cache
from mien.models.card import ModelCard
from mien.models.runtimes import Runtimes
card = ModelCard("tiny", "detect", "", (), "", True, "", "", {"input": (1, 3, 32, 32)})
session = Runtimes(Cache(Path(sys.argv[2]))).open(
    card, Path(sys.argv[1]), runtime="auto", precision="auto", threads=1, streams=1
)
print(session.runtime)
"""


def test_two_processes_choose_the_same(path, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", TUNE, str(path), str(tmp_path / "cache")]
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1]
    assert len(list((tmp_path / "cache" / "choices").iterdir())) <= 1
    assert not list((tmp_path / "cache" / "tmp").iterdir())
