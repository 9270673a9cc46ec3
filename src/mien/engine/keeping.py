"""What a group keeps of a photo that somebody is enrolled with."""

from __future__ import annotations

from mien.align import context_crop
from mien.config import Settings
from mien.engine.looking import detection_pixels
from mien.gallery.policy import FaceImage, ImageKind, ImagePolicy, kinds_kept
from mien.image import Photo
from mien.image.encode import to_jpeg
from mien.types import Box

__all__ = ["images_for"]


def images_for(
    photo: Photo, box: Box, policy: ImagePolicy, settings: Settings
) -> tuple[FaceImage, ...]:
    """The images that a group with that policy keeps of one face.

    Args:
        photo: that the face was found in.
        box: of the face, pixels of the photo.
        policy: of the group.
        settings: ``keep_crop_side`` and ``keep_crop_quality``.

    Raises:
        ImageError: the photo cannot be decoded.
        InvalidArgument: the box lies outside the photo.
    """
    return tuple(_image(photo, box, kind, settings) for kind in kinds_kept(policy))


def _image(photo: Photo, box: Box, kind: ImageKind, settings: Settings) -> FaceImage:
    quality = settings.keep_crop_quality
    if kind == "photo":
        if photo.encoded is not None:  # as it was sent, so that its hash stays what it was
            return FaceImage(kind, f"image/{photo.format}", photo.encoded)
        return FaceImage(kind, "image/jpeg", to_jpeg(photo.pixels(), quality=quality))
    pixels = detection_pixels(photo)
    scale = pixels.shape[1] / photo.width
    if scale < 1 and max(box.width, box.height) * scale < settings.keep_crop_side / 2:
        pixels, scale = photo.pixels(), 1.0
    shown = Box(box.x0 * scale, box.y0 * scale, box.x1 * scale, box.y1 * scale)
    crop = context_crop(pixels, shown, longest=settings.keep_crop_side)
    return FaceImage(kind, "image/jpeg", to_jpeg(crop, quality=quality))
