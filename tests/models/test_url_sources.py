"""Pulls over HTTP: resumed, bounded, checked, pinned."""

from __future__ import annotations

import logging

import pytest

from mien.errors import ChecksumMismatch, ModelUnavailable
from mien.models.card import UrlSource
from mien.models.fetch import Fetcher
from mien.models.progress import silent

DATA = bytes(range(256)) * 4000


@pytest.fixture
def source(kit, server):
    server.files["net.onnx"] = DATA
    return UrlSource(server.url("net.onnx"), kit.digest(DATA), len(DATA))


def test_a_file_is_fetched_once(kit, settings, server, source):
    store = kit.store_with(settings, kit.card_of(source))
    path = store.path(store.card("tiny"))
    assert path.read_bytes() == DATA
    assert path.name == "net.onnx"
    assert store.path(store.card("tiny")) == path
    assert len(server.ranges) == 1


def test_a_broken_download_goes_on_where_it_stopped(kit, settings, server, source):
    server.break_after = [300_000, 200_000]
    store = kit.store_with(settings, kit.card_of(source))
    assert store.path(store.card("tiny")).read_bytes() == DATA
    assert server.ranges[0] is None
    resumed = [int(r.removeprefix("bytes=").rstrip("-")) for r in server.ranges[1:]]
    assert len(resumed) == 2
    assert 0 < resumed[0] <= 300_000 < resumed[1] <= 500_000


def test_an_interrupted_pull_is_resumed_by_the_next(kit, settings, server, source, tmp_path):
    store = kit.store_with(settings, kit.card_of(source))
    server.break_after = [100_000] * 4
    with pytest.raises(ModelUnavailable, match="goes on where it stopped"):
        store.path(store.card("tiny"))
    again = kit.store_with(settings, kit.card_of(source))
    assert again.path(again.card("tiny")).read_bytes() == DATA
    assert server.ranges[-1] != "bytes=0-"
    assert server.ranges[-1] is not None


def test_a_server_without_ranges_starts_again(kit, settings, server, source):
    server.break_after = [300_000]
    server.ignore_range = True
    store = kit.store_with(settings, kit.card_of(source))
    assert store.path(store.card("tiny")).read_bytes() == DATA


def test_halves_of_two_files_are_noticed_and_fetched_again(kit, settings, server, source):
    store = kit.store_with(settings, kit.card_of(source))
    part = store.cache.part(f"{source.sha256[:32]}.part")
    part.write_bytes(b"another file's first half" * 100)
    assert store.path(store.card("tiny")).read_bytes() == DATA


def test_the_wrong_file_is_deleted(kit, settings, server, source):
    server.files["net.onnx"] = DATA[:-1] + b"!"
    store = kit.store_with(settings, kit.card_of(source))
    with pytest.raises(ChecksumMismatch, match="not kept"):
        store.path(store.card("tiny"))
    left = [f for f in settings.cache_dir.rglob("*") if f.is_file() and f.suffix != ".lock"]
    assert left == []
    assert not store.available(store.card("tiny"))


def test_a_file_longer_than_its_card_says_is_cut_off(kit, settings, server, source):
    server.files["net.onnx"] = DATA * 3
    store = kit.store_with(settings, kit.card_of(source))
    with pytest.raises(ModelUnavailable, match="larger"):
        store.path(store.card("tiny"))
    assert not list((settings.cache_dir / "tmp").iterdir())


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (403, 1), (503, 4), (429, 4)])
def test_error_statuses(kit, settings, server, source, status, requests):
    server.status = status
    store = kit.store_with(settings, kit.card_of(source))
    with pytest.raises(ModelUnavailable, match=f"status {status}") as caught:
        store.path(store.card("tiny"))
    assert len(server.ranges) == requests
    assert "MIEN_MODELS_MIRROR" in caught.value.message


def test_no_answer_at_all(kit, settings):
    source = UrlSource("http://127.0.0.1:9/net.onnx", kit.digest(DATA), len(DATA))
    store = kit.store_with(settings, kit.card_of(source))
    with pytest.raises(ModelUnavailable, match="Check the network"):
        store.path(store.card("tiny"))


def test_a_server_that_sleeps(kit, settings, server, source, monkeypatch):
    server.delay_s = 0.4
    monkeypatch.setattr("mien.models.download._TIMEOUT", 0.1)
    store = kit.store_with(settings, kit.card_of(source))
    with pytest.raises(ModelUnavailable, match="ReadTimeout"):
        store.path(store.card("tiny"))
    server.delay_s = 0
    assert store.path(store.card("tiny")).read_bytes() == DATA


def test_the_next_source_is_tried(kit, settings, server, source):
    missing = UrlSource(server.url("gone.onnx"), source.sha256, source.size)
    store = kit.store_with(settings, kit.card_of(missing, source))
    assert store.path(store.card("tiny")).read_bytes() == DATA


def test_a_hash_that_nobody_knew_is_pinned_and_said(kit, settings, server, caplog):
    server.files["net.onnx"] = DATA
    card = kit.card_of(UrlSource(server.url("net.onnx"), None))
    store = kit.store_with(settings, card)
    with caplog.at_level(logging.WARNING, logger="mien"):
        path = store.path(card)
    assert kit.digest(DATA) in caplog.text
    path.unlink()
    server.files["net.onnx"] = DATA + b"changed"
    with pytest.raises(ChecksumMismatch):
        kit.store_with(settings, card).path(card)


def test_plain_http_needs_a_known_hash(kit, settings):
    card = kit.card_of(UrlSource("http://models.example/net.onnx", None))
    with pytest.raises(ModelUnavailable, match="https only"):
        kit.store_with(settings, card).path(card)


def test_progress_ends_with_the_size(kit, settings, server, source):
    seen = []
    store = kit.store_with(settings, kit.card_of(source))
    fetcher = Fetcher(settings, store.cache, progress=lambda *a: seen.append(a))
    fetcher.fetch([source])
    assert seen[-1] == ("net.onnx", len(DATA), len(DATA))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    silent(*seen[-1])


def test_a_mirror_address_is_tried_first(kit, settings, server):
    server.files["net.onnx"] = DATA
    card = kit.card_of(UrlSource("https://models.example/some/net.onnx", kit.digest(DATA)))
    mirrored = settings.model_copy(update={"models_mirror": server.address})
    assert kit.store_with(mirrored, card).path(card).read_bytes() == DATA
