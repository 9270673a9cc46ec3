"""The one place where bytes become pixels: any input, under limits, upright, RGB ``uint8``."""

from mien.image.limits import ImageLimits
from mien.image.photo import ImageInput, Photo, open_photo

__all__ = ["ImageInput", "ImageLimits", "Photo", "open_photo"]
