"""What an image may cost, checked before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mien.errors import ImageTooLarge, ImageTooSmall

if TYPE_CHECKING:
    from mien.config import Settings

__all__ = ["ImageLimits"]


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Limits on one image.

    Attributes:
        max_bytes: encoded bytes (``MIEN_MAX_IMAGE_BYTES``).
        max_pixels: width x height (``MIEN_MAX_IMAGE_PIXELS``).
        min_side: shorter side, pixels (``MIEN_MIN_IMAGE_SIDE``).
        max_frames: frames or pages; only the first is used (``MIEN_MAX_IMAGE_FRAMES``).

    Example:
        >>> ImageLimits(max_pixels=2_000_000).min_side
        16
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    min_side: int = 16
    max_frames: int = 1000

    @classmethod
    def from_settings(cls, settings: Settings) -> ImageLimits:
        """The limits that the settings name."""
        return cls(
            max_bytes=settings.max_image_bytes,
            max_pixels=settings.max_image_pixels,
            min_side=settings.min_image_side,
            max_frames=settings.max_image_frames,
        )

    def check_bytes(self, count: int) -> None:
        """Refuse more than ``max_bytes``.

        Raises:
            ImageTooLarge: ``count`` is above the limit.
        """
        if count > self.max_bytes:
            raise ImageTooLarge(
                f"The image has more than {self.max_bytes} bytes. "
                "Send a smaller file or raise MIEN_MAX_IMAGE_BYTES.",
                details={"limit": self.max_bytes},
            )

    def check_size(self, width: int, height: int) -> None:
        """Refuse more than ``max_pixels`` and sides below ``min_side``.

        Raises:
            ImageTooLarge: too many pixels.
            ImageTooSmall: a side is too short.
        """
        if width * height > self.max_pixels:
            raise ImageTooLarge(
                f"The image is {width}x{height}, more than {self.max_pixels} pixels. "
                "Scale it down or raise MIEN_MAX_IMAGE_PIXELS.",
                details={"limit": self.max_pixels, "width": width, "height": height},
            )
        if min(width, height) < self.min_side:
            raise ImageTooSmall(
                f"The image is {width}x{height}, but each side needs at least {self.min_side} "
                "pixels. Send a larger photo.",
                details={"limit": self.min_side, "width": width, "height": height},
            )

    def check_frames(self, count: int) -> None:
        """Refuse more than ``max_frames``.

        Raises:
            ImageTooLarge: ``count`` is above the limit.
        """
        if count > self.max_frames:
            raise ImageTooLarge(
                f"The image has more than {self.max_frames} frames. "
                "Send a single frame or raise MIEN_MAX_IMAGE_FRAMES.",
                details={"limit": self.max_frames},
            )
