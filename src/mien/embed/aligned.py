"""Recognition nets that take one crop of a face and differ only in what their card says.

SFace (Zhong et al., "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition",
IEEE TIP 30, 2021; reference implementation: OpenCV's ``FaceRecognizerSF``) takes RGB 0..255.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.align import cut_square, template, warp
from mien.errors import InvalidArgument
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Box, EmbeddingContract, Embeddings, Face

__all__ = ["AlignedNet"]

UNIT_LENGTH = ("cosine", "angular")


class AlignedNet:
    """An :class:`~mien.embed.Embedder` for one NCHW float32 input and one ``(n, d)`` output.

    Args:
        card: with its ``embedder`` facts.
        session: the net; its first input takes ``(n, 3, H, W)``.
        source_sha256: hash of the published weight file, where the card does not give it because
            it is pinned by the first download.

    Raises:
        InvalidArgument: the card has no embedder facts, or nobody knows the file's hash.
    """

    def __init__(
        self, card: ModelCard, session: Session, *, source_sha256: str | None = None
    ) -> None:
        facts = card.embedder
        sha256 = card.source_sha256 or source_sha256
        if facts is None or sha256 is None:
            raise InvalidArgument(f"The card {card.key!r} lacks the facts of a recognition model.")
        self.name = card.name
        self.contract = EmbeddingContract(card.name, sha256, facts.preprocessing, facts.dim)
        self._template = None if facts.template == "box" else template(facts.template)
        self.size_hw = facts.size_hw
        self.metric = facts.metric
        self._facts = facts
        self._session = session
        self._mean = np.asarray(facts.mean, np.float32).reshape(1, 3, 1, 1)

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> AlignedNet:
        """Fetch the weights, if need be, and open them."""
        session = models.open(card, streams=models.settings.thread_budget)
        pinned = (models.cache.sha256(source) for source in card.sources)
        return cls(card, session, source_sha256=next(filter(None, pinned), None))

    def crop(self, image: RGB, face: Face) -> NDArray[np.uint8]:
        """The face brought to the card's template by its five landmarks, or cut by its box.

        Raises:
            InvalidArgument: the net aligns, and the face has no landmarks, or they coincide.
        """
        if self._template is None:
            return cut_square(image, _scaled(face.box, self._facts.box_scale), self.size_hw)
        if face.landmarks is None:
            raise InvalidArgument(
                f"{self.name} aligns by five landmarks, and this face has none: "
                "choose a detector that gives them."
            )
        return warp(image, face.landmarks, self._template, self.size_hw)

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Templates of aligned RGB crops ``(n, H, W, 3)``.

        Raises:
            InvalidArgument: crops of another shape or type.
        """
        if crops.shape[1:] != (*self.size_hw, 3) or crops.dtype != np.uint8:
            raise InvalidArgument(
                f"{self.name} takes uint8 crops (n, {self.size_hw[0]}, {self.size_hw[1]}, 3), "
                f"not {crops.dtype} {crops.shape}."
            )
        return self._run(self._blob(crops))

    def forward(self, inputs: NDArray[np.float32]) -> Embeddings:
        """Templates of what the net itself takes, for callers that prepare it their own way.

        Nothing is done to ``inputs``: neither the card's colour order nor its mean and scale. The
        net's raw output is ``vector * norm[:, None]`` where the metric is cosine or angular, and
        ``vector`` otherwise.

        Args:
            inputs: ``(n, H, W, 3)`` float32 with H, W = ``size_hw``, normalised, channels in the
                order that is wanted.

        Raises:
            InvalidArgument: inputs of another shape or type.
        """
        if inputs.shape[1:] != (*self.size_hw, 3) or inputs.dtype != np.float32:
            raise InvalidArgument(
                f"{self.name} takes float32 inputs (n, {self.size_hw[0]}, {self.size_hw[1]}, 3), "
                f"not {inputs.dtype} {inputs.shape}."
            )
        return self._run(np.ascontiguousarray(inputs.transpose(0, 3, 1, 2)))

    def _run(self, blob: NDArray[np.float32]) -> Embeddings:
        """Templates of the net's input ``(n, 3, H, W)``."""
        if not len(blob):
            return Embeddings(np.zeros((0, self.contract.dim), np.float32), np.zeros(0, np.float32))
        outputs = self._session.run({self._session.input_names[0]: blob})
        output = self._facts.output or self._session.output_names[0]
        vector = outputs[output].reshape(len(blob), -1)
        norm = np.linalg.norm(vector, axis=1)
        if self._facts.metric in UNIT_LENGTH:
            vector = vector / np.maximum(norm, np.finfo(np.float32).tiny)[:, None]
        return Embeddings(vector, norm)

    def _blob(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """``(n, 3, H, W)`` float32 as the card says."""
        if self._facts.colour == "bgr":
            crops = crops[..., ::-1]
        blob = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        if self._facts.whitened:
            _whiten(blob)
        if self._mean.any():
            blob -= self._mean
        if self._facts.scale != 1:
            blob *= np.float32(self._facts.scale)
        return blob


def _scaled(box: Box, factor: float) -> Box:
    """The box about the same centre, ``factor`` times as large."""
    x, y = (factor - 1) * box.width / 2, (factor - 1) * box.height / 2
    return Box(box.x0 - x, box.y0 - y, box.x1 + x, box.y1 + y)


def _whiten(blob: NDArray[np.float32]) -> None:
    """Bring each image of ``(n, c, h, w)`` to mean 0 and deviation 1, in place.

    The deviation counts as at least ``1 / sqrt(c * h * w)``, for images of one colour. Source:
    ``prewhiten`` in ``facenet.py`` of davidsandberg/facenet.
    """
    axes = (1, 2, 3)
    least = 1 / np.sqrt(np.prod(blob.shape[1:]))
    blob -= blob.mean(axis=axes, keepdims=True, dtype=np.float64).astype(np.float32)
    deviation = blob.std(axis=axes, keepdims=True, dtype=np.float64)
    blob /= np.maximum(deviation, least).astype(np.float32)
