import base64
import io
import os
import stat
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mien.errors import (
    ImageDecodeError,
    ImageError,
    ImageNotFound,
    ImageTooLarge,
    MienError,
    UnsupportedImage,
)
from mien.image import ImageLimits, open_photo
from mien.image.source import base_name, read_source

LIMITS = ImageLimits()
SMALL = ImageLimits(max_bytes=1000)


class Stream(io.RawIOBase):
    """An endless stream that cannot seek, gives little at a time, and counts."""

    def __init__(self):
        super().__init__()
        self.given = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        count = min(len(buffer), 7)
        buffer[:count] = b"\xff" * count
        self.given += count
        return count


@pytest.fixture
def photo_file(tmp_path, encode) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(encode("PNG"))
    return path


def test_every_encoded_source_gives_the_same_bytes(photo_file, encode):
    data = encode("PNG")
    text = base64.b64encode(data).decode()
    sources = [
        str(photo_file),
        photo_file,
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        text,
        "\n ".join(text[i : i + 76] for i in range(0, len(text), 76)),
        base64.urlsafe_b64encode(data).decode(),
        text.rstrip("="),
        f"data:image/png;base64,{text}",
        f"DATA:image/png;BASE64,{text.replace('+', '%2B')}",
        "data:image/png," + "".join(f"%{byte:02x}" for byte in data),
    ]
    for source in sources:
        assert read_source(source, LIMITS)[0] == data
    assert open_photo(photo_file).name == "photo.png"
    assert open_photo(data).name is None


def test_a_file_named_like_base64_is_a_file(tmp_path, encode, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "A" * 120
    Path(name).write_bytes(encode("PNG"))
    assert open_photo(name).name == base_name(name)


def test_reads_a_file_object_from_where_it_stands(encode):
    file = io.BytesIO(b"header" + encode("PNG"))
    file.seek(6)
    assert open_photo(file).format == "png"


@pytest.mark.parametrize(
    "name", ["missing.jpg", "", "a\0b.jpg", "missing/", "x" * 5000 + ".jpg", "\udcff.jpg", "é.jpg"]
)
def test_missing_file(name):
    with pytest.raises(ImageNotFound, match="There is no file"):
        open_photo(name)


def test_messages_hold_base_names_only(tmp_path):
    for source in (tmp_path / "no" / "such.jpg", str(tmp_path / "no" / "such.jpg"), tmp_path):
        with pytest.raises(ImageError) as caught:
            open_photo(source)
        assert str(tmp_path.parent) not in str(caught.value)
        assert os.sep + tmp_path.name not in str(caught.value)
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ImageDecodeError, match=r"^bad\.jpg: "):
        open_photo(bad)


def test_name_is_on_errors_of_late_decoding(tmp_path, make_png):
    bad = tmp_path / "bad.png"
    bad.write_bytes(make_png((60, 40), rows=20))
    photo = open_photo(bad)
    with pytest.raises(ImageDecodeError, match=r"^bad\.png: "):
        photo.pixels()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b/c.jpg", "c.jpg"),
        ("C:\\a\\c.jpg", "c.jpg"),
        ("/a/b/", "b"),
        ("a" * 90, "a" * 79 + "…"),
    ],
)
def test_base_name(path, name):
    assert base_name(path) == name


def test_folder(tmp_path):
    with pytest.raises(UnsupportedImage, match="is a folder"):
        open_photo(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
def test_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    caught = []

    def attempt():
        try:
            open_photo(tmp_path / "pipe.jpg")
        except MienError as error:
            caught.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert isinstance(caught[0], UnsupportedImage)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="device files are POSIX")
def test_device():
    with pytest.raises(UnsupportedImage, match="no regular file"):
        open_photo("/dev/zero")


def test_unreadable_file(photo_file, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(photo_file))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ImageNotFound, match=r"'photo\.png' cannot be read \(Permission denied\)"):
        open_photo(photo_file)


def test_large_file_is_refused_before_it_is_opened(tmp_path, monkeypatch):
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(10**9)  # sparse
    monkeypatch.setattr(os, "open", lambda *args: pytest.fail("the file was opened"))
    with pytest.raises(ImageTooLarge) as caught:
        open_photo(path)
    assert caught.value.details == {"limit": 20_000_000}


def test_file_that_grows_is_read_up_to_the_limit(photo_file, monkeypatch):
    real = photo_file.stat()
    monkeypatch.setattr(
        os, "stat", lambda *args, **kwargs: os.stat_result([real.st_mode, *[0] * 9])
    )
    with pytest.raises(ImageTooLarge):
        open_photo(photo_file, limits=ImageLimits(max_bytes=100))


def test_url_is_for_the_service():
    for url in ("http://example.org/a.jpg", "HTTPS://example.org/a.jpg"):
        with pytest.raises(UnsupportedImage, match="Only the service"):
            open_photo(url)


def test_endless_stream_is_read_up_to_the_limit():
    stream = Stream()
    with pytest.raises(ImageTooLarge):
        open_photo(stream, limits=SMALL)
    assert stream.given <= SMALL.max_bytes + 7


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_too_many_bytes(kind):
    with pytest.raises(ImageTooLarge):
        open_photo(kind(b"x" * 1001), limits=SMALL)


def test_too_much_base64(encode):
    text = base64.b64encode(encode("BMP")).decode()
    for source in (text, f"data:;base64,{text}", "data:," + text):
        with pytest.raises(ImageTooLarge):
            open_photo(source, limits=SMALL)


def test_base64_at_the_byte_limit(encode):
    data = encode("PNG")
    for extra in range(3):  # every length of padding
        whole = data + b"\0" * extra
        limits = ImageLimits(max_bytes=len(whole))
        assert open_photo(base64.b64encode(whole).decode(), limits=limits).width == 128


def closed() -> io.BytesIO:
    file = io.BytesIO(b"x")
    file.close()
    return file


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (io.StringIO("text"), "text mode"),
        (closed(), "closed"),
        ([1, 2], "list is not an image"),
        (None, "NoneType is not an image"),
        (3, "int is not an image"),
    ],
)
def test_unsupported_sources(source, message):
    with pytest.raises(UnsupportedImage, match=message):
        open_photo(source)


def test_file_open_for_writing(tmp_path):
    with (tmp_path / "out.jpg").open("wb") as file, pytest.raises(UnsupportedImage):
        open_photo(file)


@pytest.mark.parametrize(
    "text", ["A" * 101 + "===", "A" * 101, "A" * 101 + "=", "A" * 100 + "===="]
)
def test_base64_with_wrong_padding(text):
    with pytest.raises(ImageDecodeError, match="base64"):
        open_photo(text)
    with pytest.raises(ImageDecodeError, match="base64"):
        open_photo("data:image/png;base64," + text)


def test_short_or_foreign_text_is_a_missing_file():
    for text in ("A" * 96, "A" * 200 + "!", "ü" * 200):
        with pytest.raises(ImageNotFound):
            open_photo(text)


@pytest.mark.parametrize("uri", ["data:image/png;base64", "data:"])
def test_data_uri_without_comma(uri):
    with pytest.raises(ImageDecodeError, match="comma"):
        open_photo(uri)


@pytest.mark.parametrize("uri", ["data:,", "data:;base64,", "data:;base64,ü"])
def test_data_uri_without_image(uri):
    with pytest.raises(ImageDecodeError):
        open_photo(uri)


@given(st.text(max_size=300))
@example("data:;base64," + "\udc80" * 4)
@example("data:,\udc80")
@example("\x00" * 120)
def test_no_text_raises_anything_but_image_errors(text):
    with pytest.raises(ImageError):
        open_photo(text)


def test_pathlike_of_another_kind(photo_file):
    class Entry:
        def __fspath__(self):
            return str(photo_file)

    assert open_photo(Entry()).name == "photo.png"


def test_file_is_closed(photo_file):
    before = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
    for _ in range(5):
        open_photo(photo_file)
    after = len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0
    assert after == before
    assert stat.S_ISREG(photo_file.stat().st_mode)


def test_caller_may_reuse_a_bytearray(encode):
    buffer = bytearray(encode("PNG"))
    photo = open_photo(buffer)
    buffer[:] = b"\0" * len(buffer)
    assert photo.pixels().shape == (96, 128, 3)
    assert np.any(photo.pixels())
