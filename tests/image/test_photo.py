import gc
import hashlib
import threading
import weakref

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.config import Settings
from mien.errors import ImageDecodeError, ImageTooLarge, ImageTooSmall, InvalidArgument
from mien.image import ImageLimits, Photo, open_photo
from mien.image.decode import reduction_for
from mien.image.probe import Header


@pytest.fixture
def counted(monkeypatch) -> list[int]:
    """The flags of every call of OpenCV's decoder."""
    calls = []
    real = cv2.imdecode

    def count(data, flags):
        calls.append(flags)
        return real(data, flags)

    monkeypatch.setattr(cv2, "imdecode", count)
    return calls


@pytest.fixture(scope="module")
def jpeg(encode) -> bytes:
    y, x = np.mgrid[0:1000, 0:1500]
    return encode("JPEG", np.dstack([x % 256, y % 256, (x + y) // 10]).astype(np.uint8))


def test_pixels_are_decoded_once_and_shared(jpeg, counted):
    photo = open_photo(jpeg)
    assert counted == []
    assert photo.pixels() is photo.pixels()
    assert photo.scaled(100) is photo.pixels()
    assert len(counted) == 1
    assert photo.pixels().shape == (1000, 1500, 3)
    assert photo.pixels().dtype == np.uint8


def test_pixels_are_read_only(jpeg):
    with pytest.raises(ValueError, match="read-only"):
        open_photo(jpeg).scaled(100)[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        (1, (125, 188)),
        (188, (125, 188)),
        (189, (250, 375)),
        (375, (250, 375)),
        (376, (500, 750)),
        (750, (500, 750)),
        (751, (1000, 1500)),
        (1500, (1000, 1500)),
        (9999, (1000, 1500)),
    ],
)
def test_scaled_takes_the_largest_reduction(jpeg, asked, shape):
    assert open_photo(jpeg).scaled(asked).shape == (*shape, 3)


def test_scaled_is_cached_until_more_is_asked(jpeg, counted):
    photo = open_photo(jpeg)
    half = photo.scaled(700)
    assert photo.scaled(700) is half
    assert photo.scaled(100) is half
    assert len(counted) == 1
    other = open_photo(jpeg)
    assert other.scaled(100).shape[1] == 188
    assert other.scaled(700).shape[1] == 750
    assert len(counted) == 3


def test_scaled_is_dropped_when_all_pixels_are_there(jpeg):
    photo = open_photo(jpeg)
    small = weakref.ref(photo.scaled(100))
    gc.collect()
    assert small() is not None
    photo.pixels()
    gc.collect()
    assert small() is None


def test_other_formats_come_at_full_size(encode):
    for format in ("PNG", "WEBP"):
        photo = open_photo(encode(format))
        assert photo.scaled(10) is photo.pixels()
    cmyk = open_photo(encode("JPEG", Image.new("CMYK", (64, 64))))
    assert cmyk.scaled(10).shape == (64, 64, 3)


@pytest.mark.parametrize("long_side", [0, -5])
def test_scaled_needs_a_size(jpeg, long_side):
    with pytest.raises(InvalidArgument):
        open_photo(jpeg).scaled(long_side)


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(1, 20_000))
def test_reduction(width, height, asked):
    header = Header("jpeg", (width, height), 1, True)
    full = max(width, height)
    reduction = reduction_for(header, asked)
    assert -(-full // reduction) >= min(asked, full)
    if reduction < 8 and asked <= full:
        assert -(-full // (reduction * 2)) < asked


def test_threads_share_one_decode(jpeg, counted):
    photo = open_photo(jpeg)
    start = threading.Barrier(8)
    seen = []

    def work(number: int) -> None:
        start.wait()
        seen.append(photo.pixels() if number % 2 else photo.scaled(100))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(counted) <= 2
    assert len({id(image) for image in seen}) <= 2


def test_sha256(jpeg, pattern, encode):
    assert open_photo(jpeg).sha256 == hashlib.sha256(jpeg).hexdigest()
    of_array = open_photo(pattern).sha256
    assert of_array == hashlib.sha256(b"128x96:" + pattern.tobytes()).hexdigest()
    assert open_photo(pattern[:, :, ::-1], colour="bgr").sha256 == of_array
    assert open_photo(Image.fromarray(pattern)).sha256 == of_array
    assert open_photo(pattern.reshape(128, 96, 3)).sha256 != of_array


def test_facts(tmp_path, jpeg, pattern):
    path = tmp_path / "me.jpg"
    path.write_bytes(jpeg)
    photo = open_photo(path)
    assert repr(photo) == "<Photo 'me.jpg' 1500x1000 jpeg>"
    assert repr(open_photo(pattern)) == "<Photo 128x96 array>"
    assert open_photo(photo) is photo
    assert open_photo(Image.fromarray(pattern)).format == "array"


def test_a_photo_is_held_against_the_limits_again(pattern):
    photo = open_photo(pattern)
    with pytest.raises(ImageTooLarge):
        open_photo(photo, limits=ImageLimits(max_pixels=100))
    with pytest.raises(ImageTooSmall):
        open_photo(photo, limits=ImageLimits(min_side=97))


def test_a_photo_is_made_by_open_photo():
    with pytest.raises(InvalidArgument):
        Photo()


@pytest.mark.parametrize("answer", [None, np.zeros((7, 7, 3), np.uint8)])
def test_decoder_that_gives_up_or_gives_another_size(jpeg, monkeypatch, answer):
    monkeypatch.setattr(cv2, "imdecode", lambda *args: answer)
    with pytest.raises(ImageDecodeError):
        open_photo(jpeg).pixels()


def test_decoder_that_raises(jpeg, monkeypatch):
    def fail(*args):
        raise cv2.error("broken")

    monkeypatch.setattr(cv2, "imdecode", fail)
    with pytest.raises(ImageDecodeError, match="corrupt"):
        open_photo(jpeg).scaled(100)


def test_out_of_memory_is_not_blamed_on_the_image(encode, monkeypatch):
    def fail(*args):
        raise MemoryError

    photo = open_photo(encode("PNG"))
    monkeypatch.setattr("mien.image.decode.image_to_rgb", fail)
    with pytest.raises(MemoryError):
        photo.pixels()


def test_limits_from_settings():
    settings = Settings(max_image_bytes=1, max_image_pixels=2, min_image_side=3, max_image_frames=4)
    assert ImageLimits.from_settings(settings) == ImageLimits(1, 2, 3, 4)
    assert ImageLimits.from_settings(Settings()) == ImageLimits()


@pytest.mark.shared
def test_real_photos_agree_with_pillow(shared_data):
    folder = shared_data / "face_recognition" / "examples"
    for path in sorted(folder.glob("*.jpg")):
        photo = open_photo(path)
        golden = np.asarray(Image.open(path).convert("RGB"))
        assert np.abs(photo.pixels().astype(int) - golden).mean() < 0.5
