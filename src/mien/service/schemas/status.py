"""What is running."""

from __future__ import annotations

from pydantic import Field

from mien.service.schemas.base import Answered

__all__ = ["StatusAnswer"]


class StatusAnswer(Answered):
    """What is running."""

    version: str
    detector: str
    embedder: str
    runtime: str | None = Field(
        description="Of the recognition model. Null while the models are being loaded, and where "
        "neither a measurement nor a setting names it."
    )
    precision: str | None = Field(description="As `runtime`.")
    dim: int | None = Field(description="Length of an embedding.")
    ready: bool
    max_image_bytes: int
    max_request_images: int
