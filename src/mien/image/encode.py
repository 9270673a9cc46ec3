"""Pixels back into a file, for images that are kept."""

from __future__ import annotations

import io

from PIL import Image

from mien.types import RGB

__all__ = ["to_jpeg"]


def to_jpeg(image: RGB, *, quality: int) -> bytes:
    """A JPEG without metadata, its colours at full resolution (4:4:4).

    Args:
        image: RGB uint8 ``(height, width, 3)``.
        quality: 50 to 100.
    """
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()
