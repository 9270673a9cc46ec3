"""What DeepFace's callers give for an image, opened under Mien's limits."""

from __future__ import annotations

import base64
import contextlib
import io
import re
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.compat.deepface.exceptions import DataTypeError, ImgNotFound, error
from mien.engine import Engine
from mien.errors import ImageDecodeError, ImageError, ImageNotFound, UnsupportedImage
from mien.image import ImageLimits, Photo, open_photo

__all__ = ["load", "split"]

FETCH_S = 30.0
"""Seconds that fetching one image may take."""

MAX_REDIRECTS = 5

_URL = re.compile(r"https?://", re.IGNORECASE)


def split(images: Any) -> tuple[list[Any], bool]:  # noqa: ANN401 - whatever a caller gives
    """The single images of one or several, and whether several were given.

    A list, a tuple and an array ``(n, H, W, 3)`` are several, even where they hold one.
    """
    if isinstance(images, np.ndarray) and images.ndim == 4:
        return [*images], True
    if isinstance(images, list | tuple):
        return [*images], True
    return [images], False


def load(image: Any, engine: Engine) -> Photo:  # noqa: ANN401
    """One image: whatever Mien opens, a BGR array, or an address to fetch.

    An ``http(s)`` address is fetched by this process, because it is its caller's own: at most
    ``MIEN_MAX_IMAGE_BYTES``, 30 seconds and five redirects, and not where ``MIEN_OFFLINE`` is
    set. Do not hand on addresses that strangers sent.

    Raises:
        ImageError: it cannot be used; also DeepFace's ``ImgNotFound``.
    """
    if isinstance(image, np.ndarray):
        return open_photo(_bytes_of(image), limits=engine.limits, colour="bgr")
    if isinstance(image, io.TextIOBase):
        raise error(
            UnsupportedImage, DataTypeError, "img requires bytes: open the file in mode 'rb'."
        )
    if isinstance(image, str):
        if _URL.match(image):
            return engine.photo(_fetch(image, engine))
        if image[:11].lower() == "data:image/":
            image = _with_base64(image)
    elif hasattr(image, "read"):
        # DeepFace reads from the beginning, wherever the file stands.
        with contextlib.suppress(AttributeError, TypeError, OSError, ValueError):
            image.seek(0)
    try:
        return engine.photo(image)
    except ImageDecodeError as caught:
        message = f"Failed to decode image: {caught.message}"
        raise error(ImageDecodeError, ImgNotFound, message, caught.details) from None


def _bytes_of(image: NDArray[Any]) -> NDArray[np.uint8]:
    """An array of 0..1, as ``extract_faces`` gives it, or of 0..255, as ``uint8``.

    Raises:
        UnsupportedImage: not numbers, or not finite; also DeepFace's ``DataTypeError``.
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype.kind not in "fiu" or not np.isfinite(image).all():
        raise error(
            UnsupportedImage,
            DataTypeError,
            f"An image array holds finite numbers, 0..255 or 0..1, not {image.dtype}.",
        )
    values = image.astype(np.float64)
    if image.dtype.kind == "f" and values.size and values.max() <= 1:
        values *= 255
    scaled: NDArray[np.uint8] = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return scaled


def _with_base64(uri: str) -> str:
    """A data URI that says that it is base64; DeepFace takes all of them for it."""
    head, comma, body = uri.partition(",")
    if not comma or head.lower().endswith(";base64"):
        return uri
    try:
        base64.b64decode(body, validate=True)
    except ValueError:
        return uri
    return f"{head};base64,{body}"


def _fetch(url: str, engine: Engine) -> bytes:
    if engine.settings.offline:
        raise error(
            ImageNotFound, ImgNotFound, "MIEN_OFFLINE is set, so no image is fetched from a URL."
        )
    import httpx

    try:
        with httpx.Client(
            timeout=FETCH_S, follow_redirects=True, max_redirects=MAX_REDIRECTS
        ) as client:
            return _read(client, url, engine.limits)
    except ImageError:
        raise
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as reason:
        raise error(
            ImageNotFound,
            ImgNotFound,
            f"The image cannot be fetched from its URL ({type(reason).__name__}). Check the "
            "address, or download the file and give its path.",
        ) from None


def _read(client: Any, url: str, limits: ImageLimits) -> bytes:  # noqa: ANN401 - httpx is late
    end = time.monotonic() + FETCH_S
    body = bytearray()
    with client.stream("GET", url) as answer:
        answer.raise_for_status()
        for part in answer.iter_bytes():
            body += part
            limits.check_bytes(len(body))
            if time.monotonic() > end:
                raise TimeoutError
    return bytes(body)
