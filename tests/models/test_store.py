"""Names, mirror, offline, licences, read-only and full folders, conversion into the cache."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mien.errors import (
    ChecksumMismatch,
    ConversionError,
    LicenceNotAccepted,
    ModelUnavailable,
    RuntimeUnavailable,
    UnknownModel,
)
from mien.models import ModelStore


def test_names(settings):
    store = ModelStore(settings)
    assert store.card("yunet") is store.card("detect/yunet") is store.card("yunet", "detect")
    assert {card.key for card in store.cards()} >= {"detect/yunet", "embed/sface"}
    assert [card.task for card in store.cards("embed")] == ["embed"] * len(store.cards("embed"))
    with pytest.raises(UnknownModel, match="Did you mean yunet"):
        store.card("yunett")
    with pytest.raises(UnknownModel, match="no model 'sface' to detect"):
        store.card("sface", "detect")


def test_an_ambiguous_name(kit, settings):
    source = kit.archive_source(b"", "x", b"")
    store = kit.store_with(settings, kit.card_of(source), kit.card_of(source, task="landmarks"))
    with pytest.raises(UnknownModel, match="detect/tiny or landmarks/tiny"):
        store.card("tiny")
    assert store.card("tiny", "landmarks").task == "landmarks"


def test_offline_says_what_to_do(kit, settings, published):
    offline = settings.model_copy(update={"offline": True})
    store = kit.store_with(offline, published.card)
    with pytest.raises(ModelUnavailable, match=r"MIEN_OFFLINE.*models import"):
        store.path(published.card)
    kit.store_with(settings, published.card).path(published.card)
    assert store.path(published.card).read_bytes() == published.data


@pytest.mark.parametrize("what", ["member", "archive"])
@pytest.mark.parametrize("spelling", ["{}", "file://{}"])
def test_a_mirror_folder_serves_even_offline(kit, settings, published, tmp_path, what, spelling):
    mirror = tmp_path / "a mirror"
    mirror.mkdir()
    if what == "member":
        (mirror / "tiny.onnx").write_bytes(published.data)
    else:
        shutil.copy(published.file, mirror)
    mirrored = settings.model_copy(
        update={"offline": True, "models_mirror": spelling.format(mirror).replace(" ", " ")}
    )
    store = kit.store_with(mirrored, published.card)
    assert store.path(published.card).read_bytes() == published.data


def test_a_mirror_without_the_file_is_passed_over(kit, settings, published, tmp_path):
    mirrored = settings.model_copy(update={"models_mirror": str(tmp_path / "nowhere")})
    store = kit.store_with(mirrored, published.card)
    assert store.path(published.card).read_bytes() == published.data


def test_a_mirror_with_another_file(kit, settings, published, tmp_path):
    wrong = tmp_path / "tiny.onnx"
    wrong.write_bytes(b"wrong")
    mirrored = settings.model_copy(update={"models_mirror": str(tmp_path)})
    store = kit.store_with(mirrored, published.card)
    assert store.path(published.card).read_bytes() == published.data  # from the archive
    assert wrong.read_bytes() == b"wrong"
    offline = mirrored.model_copy(update={"offline": True, "cache_dir": tmp_path / "other"})
    with pytest.raises(ChecksumMismatch, match="mirror"):
        kit.store_with(offline, published.card).path(published.card)


def test_a_licence_has_to_be_accepted(kit, settings, published):
    card = kit.card_of(*published.card.sources, licence="research only", needs_acceptance=True)
    with pytest.raises(LicenceNotAccepted, match=r"research only.*--accept-licence tiny"):
        kit.store_with(settings, card).path(card)
    for name in ("tiny", "detect/tiny"):
        accepted = settings.model_copy(update={"accept_licences": (name,)})
        assert kit.store_with(accepted, card).path(card).read_bytes() == published.data


def test_a_file_that_cannot_be_converted(kit, settings, published):
    card = kit.card_of(*published.card.sources, converter="blockquant")
    with pytest.raises(ConversionError, match="no quantised weights"):
        kit.store_with(settings, card).path(card)
    assert not (settings.cache_dir / "converted").exists()
    unknown = kit.card_of(*published.card.sources, converter="magic")
    with pytest.raises(ConversionError, match="no converter 'magic'"):
        kit.store_with(settings, unknown).path(unknown)


def test_a_full_disk(kit, settings, published, monkeypatch):
    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ModelUnavailable, match=r"disk is full.*MIEN_CACHE_DIR"):
        kit.store_with(settings, published.card).path(published.card)


def test_a_cache_folder_that_is_a_file(kit, settings, published):
    settings.cache_dir.write_bytes(b"")
    with pytest.raises(ModelUnavailable, match="MIEN_CACHE_DIR") as caught:
        kit.store_with(settings, published.card).path(published.card)
    assert str(settings.cache_dir) not in caught.value.message


def test_what_is_there_is_used_from_a_folder_that_cannot_be_written(
    kit, settings, published, monkeypatch
):
    kit.store_with(settings, published.card).path(published.card)

    def read_only(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("mkdir", "write_bytes", "replace", "touch"):
        monkeypatch.setattr(Path, name, read_only)
    store = kit.store_with(settings, published.card)
    assert store.path(published.card).read_bytes() == published.data
    session = store.open(published.card)
    assert session.input_names == ("input",)


@pytest.mark.parametrize("left", [0, 1000, 100_000])
def test_a_truncated_converted_file_is_made_again(models, tmp_path, caplog, left):
    source = models.source_path(models.card("yunet"))
    changes = {"cache_dir": tmp_path, "models_mirror": str(source.parent), "offline": True}
    settings = models.settings.model_copy(update=changes)
    card = models.card("yunet")
    good = ModelStore(settings).path(card).read_bytes()
    ModelStore(settings).path(card).write_bytes(good[:left])
    session = ModelStore(settings).open(card)
    assert session.input_names == ("input",)
    assert ModelStore(settings).path(card).read_bytes() == good
    assert not caplog.records


def test_a_damaged_published_net_is_fetched_again(kit, settings, published):
    store = kit.store_with(settings, published.card)
    store.path(published.card).write_bytes(published.data[:50])
    assert store.open(published.card).output_names == ("map", "mean")
    assert store.path(published.card).read_bytes() == published.data


def test_a_sound_file_that_no_runtime_opens_is_an_error_with_a_remedy(kit, settings, published):
    net = b"no net, but what the card pins"
    archive = kit.wheel_of({kit.MEMBER: net})
    published.file.write_bytes(archive)
    store = kit.store_with(settings, kit.card_of(kit.archive_source(archive, kit.MEMBER, net)))
    with pytest.raises(RuntimeUnavailable, match="mien models verify detect/tiny"):
        store.open(store.card("tiny"))


def test_released_nets_are_opened_again_by_their_next_run(kit, settings, published):
    store = kit.store_with(settings, published.card)
    session = store.open(published.card, runtime="onnxruntime")
    inputs = {"input": np.ones((1, 3, 8, 8), np.float32)}
    before = session.run(inputs)["mean"]
    assert store.holding()["detect/tiny"] >= len(published.data)
    assert store.release(published.card) == 1
    assert store.holding() == {}
    np.testing.assert_array_equal(session.run(inputs)["mean"], before)
    assert list(store.holding()) == ["detect/tiny"]
    assert store.release() == 1
    assert store.open(published.card, runtime="onnxruntime") is session


def test_a_released_net_whose_file_has_gone_says_what_to_do(kit, settings, published):
    store = kit.store_with(settings, published.card)
    session = store.open(published.card, runtime="onnxruntime")
    store.release()
    shutil.rmtree(settings.cache_dir)
    published.file.unlink()
    with pytest.raises(ModelUnavailable, match="pip"):
        session.run({"input": np.ones((1, 3, 8, 8), np.float32)})


@pytest.mark.parametrize(
    ("limit_mb", "each", "left"), [(1, 500_000, 2), (1, 500_001, 1), (0, 10**9, 2)]
)
def test_the_memory_setting(kit, settings, published, limit_mb, each, left):
    limited = settings.model_copy(update={"model_memory_mb": limit_mb})
    cards = [dataclasses.replace(published.card, name=name) for name in ("first", "second")]
    store = kit.store_with(limited, *cards)
    for card in cards:
        store.open(card, runtime="onnxruntime").size = each
    store._nets._clock = lambda: float("inf")  # long after both were used
    store.open(cards[1], runtime="onnxruntime")
    assert len(store.holding()) == left


def test_a_run_and_an_opening_of_one_net_at_once(kit, settings, published, monkeypatch):
    """Neither waits for the other while it holds what the other needs."""
    store = kit.store_with(settings, published.card)
    session = store.open(published.card, runtime="onnxruntime")
    inputs = {"input": np.ones((1, 3, 8, 8), np.float32)}
    expected = session.run(inputs)["mean"]
    store.release()
    opening, go, path = threading.Event(), threading.Event(), store.path

    def slow_path(card):
        opening.set()
        assert go.wait(20)
        return path(card)

    monkeypatch.setattr(store, "path", slow_path)
    with ThreadPoolExecutor(2) as pool:
        run = pool.submit(session.run, inputs)
        assert opening.wait(20)
        opened = pool.submit(store.open, published.card, runtime="onnxruntime")
        with pytest.raises(TimeoutError):
            opened.result(0.2)  # it waits for the other's opening, and nothing more
        go.set()
        np.testing.assert_array_equal(run.result(20)["mean"], expected)
        assert opened.result(20) is session
