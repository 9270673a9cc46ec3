"""A recognition model with its crops cut and normalised the caller's way, not its card's.

Its embeddings are another contract: nobody can compare them with those of the model's own way, or
enrol them in a group that is pinned to it.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mien.align import (
    MODES,
    Preprocessing,
    crop_face,
    crop_landmarks,
    cut_square,
    normalise,
    template,
)
from mien.embed.protocol import Embedder
from mien.errors import InvalidArgument, UnknownModel
from mien.models import ModelStore
from mien.models.card import EmbedderFacts
from mien.types import RGB, Box, Embeddings, Face

__all__ = ["Preprocessed", "prepared", "variant"]

OWN_VERSIONS = 1000
"""Cards count their own preprocessing below this; what callers choose comes above."""


@runtime_checkable
class _TakesInputs(Protocol):
    """An embedder that also takes what its net takes, prepared by somebody else."""

    def forward(self, inputs: NDArray[np.float32]) -> Embeddings: ...


def variant(options: Preprocessing) -> int:
    """A number for what ``options`` do to a crop, the same for the same; 0: what the card says."""
    aligned = ("landmarks", "eyes", "none").index(options.align)
    mode = 0 if options.normalisation is None else 1 + MODES.index(options.normalisation)
    return (options.expand_percentage * 3 + aligned) * (1 + len(MODES)) + mode


def prepared(embedder: Embedder, options: Preprocessing, models: ModelStore) -> Embedder:
    """``embedder``, cutting and normalising as ``options`` say.

    Args:
        embedder: a recognition model.
        options: ``target_size_hw`` must be None or the model's own; ``align="landmarks"`` is the
            model's own way to align.
        models: for the model's card.

    Raises:
        InvalidArgument: a size or a normalisation that the model cannot take.
    """
    if options.target_size_hw not in (None, embedder.size_hw):
        height, width = embedder.size_hw
        raise InvalidArgument(
            f"{embedder.name} takes crops of {height} x {width} pixels: leave target_size_hw out."
        )
    if not variant(options):
        return embedder
    try:
        facts = models.card(embedder.name, "embed").embedder
    except UnknownModel:
        facts = None
    if facts is not None and facts.template == "parts":
        raise InvalidArgument(
            f"{embedder.name} cuts a crop for each of its models: leave Preprocessing out, or "
            "choose one of them."
        )
    return Preprocessed(embedder, options, facts)


class Preprocessed:
    """An :class:`~mien.embed.Embedder` that prepares crops for another one.

    Args:
        embedder: the model.
        options: which :func:`variant` is not 0.
        facts: of the model's card; None: it has none, and cannot be aligned by landmarks with an
            expanded crop.

    Raises:
        InvalidArgument: the model cannot be used so.
    """

    def __init__(
        self, embedder: Embedder, options: Preprocessing, facts: EmbedderFacts | None
    ) -> None:
        if options.normalisation is not None and not isinstance(embedder, _TakesInputs):
            raise InvalidArgument(f"{embedder.name} normalises by itself: leave normalisation out.")
        if facts is None and options.align == "landmarks" and options.expand_percentage:
            raise InvalidArgument(
                f"{embedder.name} has no card that says how it aligns: "
                "expand_percentage needs align='eyes' or 'none'."
            )
        self.name = embedder.name
        self.size_hw = embedder.size_hw
        self.metric = embedder.metric
        own = embedder.contract
        self.contract = dataclasses.replace(
            own, preprocessing=own.preprocessing + OWN_VERSIONS * variant(options)
        )
        self._embedder = embedder
        self._options = dataclasses.replace(options, target_size_hw=embedder.size_hw)
        self._facts = facts
        self._colour: Literal["rgb", "bgr"] = "rgb" if facts is None else facts.colour

    def crop(self, image: RGB, face: Face) -> NDArray[np.uint8]:
        """The face as the options say; one without landmarks is not aligned.

        Raises:
            InvalidArgument: the box is empty or outside the image, or the landmarks coincide.
        """
        if self._options.align != "landmarks" or face.landmarks is None:
            return crop_face(image, face, self._options)
        percentage = self._options.expand_percentage
        if self._facts is None or not percentage:
            return self._embedder.crop(image, face)
        if self._facts.template == "box":
            return cut_square(image, _grown(face.box, percentage), self.size_hw)
        return crop_landmarks(
            image,
            face.landmarks,
            template(self._facts.template),
            frame_hw=self.size_hw,
            size_hw=self.size_hw,
            expand_percentage=percentage,
        )

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Templates of the crops that :meth:`crop` gives."""
        mode = self._options.normalisation
        if mode is None or not isinstance(self._embedder, _TakesInputs):
            return self._embedder.embed(crops)
        if self._colour == "bgr":
            crops = crops[..., ::-1]
        pixels = crops.astype(np.float32) / np.float32(255)
        return self._embedder.forward(normalise(pixels, mode, colour=self._colour))


def _grown(box: Box, percentage: int) -> Box:
    """The box with longer sides about the same centre."""
    x, y = box.width * percentage / 200, box.height * percentage / 200
    return Box(box.x0 - x, box.y0 - y, box.x1 + x, box.y1 + y)
