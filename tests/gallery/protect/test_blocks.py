import os
import resource
import signal

import pytest

from mien.errors import GalleryUnavailable, InvalidArgument, KeyMismatch
from mien.gallery.protect.blocks import BlockFile

KEY, CONTEXT = bytes(range(32)), b"test"
PAYLOADS = [os.urandom(100) for _ in range(7)]


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "file"
    BlockFile.write(made, PAYLOADS, count=7, block_bytes=100, key=KEY, context=CONTEXT)
    return made


def everything(path, key=KEY, context=CONTEXT):
    with BlockFile.open(path, key=key, context=context) as file:
        return list(file.blocks(0, file.count))


def test_what_was_written_is_read(path):
    assert everything(path) == PAYLOADS
    assert path.stat().st_mode & 0o777 == 0o600
    with BlockFile.open(path, key=KEY, context=CONTEXT) as file:
        assert (file.count, file.block_bytes) == (7, 100)
        assert file.read(6) == PAYLOADS[6]
        assert list(file.blocks(2, 3)) == PAYLOADS[2:5]
        assert list(file.blocks(7, 0)) == []
        for first, count in ((-1, 1), (7, 1), (5, 3)):
            with pytest.raises(InvalidArgument):
                list(file.blocks(first, count))


def test_nothing_of_it_is_readable(path):
    raw = path.read_bytes()
    assert not any(payload[i : i + 8] in raw for payload in PAYLOADS for i in range(0, 92, 8))


def test_a_block_is_replaced_in_place(path):
    before = path.read_bytes()
    with BlockFile.open(path, key=KEY, context=CONTEXT, writable=True) as file:
        file.replace(3, b"short")
        file.sync()
        assert file.read(3) == b"short".ljust(100, b"\0")
        with pytest.raises(InvalidArgument):
            file.replace(0, bytes(101))
        with pytest.raises(InvalidArgument):
            file.replace(7, b"")
    after = path.read_bytes()
    assert everything(path)[4:] == PAYLOADS[4:]
    stride = 12 + 100 + 16
    at = 32 + 3 * stride
    assert after[:at] + after[at + stride :] == before[:at] + before[at + stride :]
    assert after[at : at + 12] != before[at : at + 12]  # no nonce is used twice


def test_a_file_is_opened_again_but_not_another_in_its_place(path):
    with BlockFile.open(path, key=KEY, context=CONTEXT) as file:
        with file.again() as other:
            assert other.read(5) == PAYLOADS[5]
            assert file.read(0) == PAYLOADS[0]
            assert other.read(6) == PAYLOADS[6]
        BlockFile.write(path, PAYLOADS, count=7, block_bytes=100, key=KEY, context=CONTEXT)
        with pytest.raises(GalleryUnavailable, match="replaced"):
            file.again()


@pytest.mark.parametrize(("key", "context"), [(bytes(32), CONTEXT), (KEY, b"other")])
def test_another_key_or_context_does_not_open_it(path, key, context):
    with pytest.raises(KeyMismatch, match="'file'"):
        everything(path, key, context)


def test_every_changed_byte_is_noticed(path):
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises((KeyMismatch, GalleryUnavailable)):
            everything(path)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 100, -1, -128])
def test_a_file_that_was_cut_off_is_refused(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(GalleryUnavailable):
        everything(path)


def test_blocks_cannot_be_exchanged_or_taken_from_another_file(path, tmp_path):
    stride, whole = 12 + 100 + 16, path.read_bytes()
    first, second = whole[32 : 32 + stride], whole[32 + stride : 32 + 2 * stride]
    path.write_bytes(whole[:32] + second + first + whole[32 + 2 * stride :])
    with pytest.raises(KeyMismatch):
        everything(path)
    other = tmp_path / "other"
    BlockFile.write(other, PAYLOADS, count=7, block_bytes=100, key=KEY, context=CONTEXT)
    path.write_bytes(whole[:32] + other.read_bytes()[32 : 32 + stride] + whole[32 + stride :])
    with pytest.raises(KeyMismatch):
        everything(path)


def test_a_missing_file_is_an_error_without_its_folder(tmp_path):
    with pytest.raises(GalleryUnavailable) as raised:
        BlockFile.open(tmp_path / "none", key=KEY, context=CONTEXT)
    assert str(tmp_path) not in str(raised.value)
    with pytest.raises(GalleryUnavailable):
        BlockFile.write(tmp_path / "no" / "f", [], count=0, block_bytes=1, key=KEY, context=b"")


@pytest.mark.parametrize("count", [6, 8])
def test_a_wrong_number_of_blocks_leaves_the_old_file(path, count):
    with pytest.raises(InvalidArgument):
        BlockFile.write(path, PAYLOADS, count=count, block_bytes=100, key=KEY, context=CONTEXT)
    assert everything(path) == PAYLOADS
    assert list(path.parent.iterdir()) == [path]


def test_blocks_that_fail_leave_the_old_file(path):
    def broken():
        yield b"one"
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        BlockFile.write(path, broken(), count=2, block_bytes=100, key=KEY, context=CONTEXT)
    assert everything(path) == PAYLOADS
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def small_disk():
    """No file of this process may be larger than 20,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, old)


def test_a_disk_that_is_full_leaves_the_old_file(path, small_disk):
    big = [bytes(10_000)] * 5
    with pytest.raises(GalleryUnavailable, match="cannot be read or written"):
        BlockFile.write(path, big, count=5, block_bytes=10_000, key=KEY, context=CONTEXT)
    assert everything(path) == PAYLOADS
    assert list(path.parent.iterdir()) == [path]
