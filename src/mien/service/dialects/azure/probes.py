"""faceIds: the faces of a detection, kept sealed for as long as the client asked."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery import Gallery
from mien.service.dialects.azure.errors import AzureError, bad_argument, missing
from mien.types import EmbeddingContract, Embeddings

__all__ = ["MAX_TTL_S", "MIN_TTL_S", "Probe", "joined", "keep", "load"]

KIND = "azure.face"
MIN_TTL_S = 60
MAX_TTL_S = 86400


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A detected face's template.

    Attributes:
        id: the faceId, 32 digits.
        model: Azure's name of the recognition model.
        contract: of the template.
        embeddings: the one template.
    """

    id: str
    model: str
    contract: EmbeddingContract
    embeddings: Embeddings

    def sealed(self) -> bytes:
        """What is kept (and sealed): a line of JSON, then the vector as float32, little-endian."""
        norm = float(self.embeddings.norm[0])
        facts = {
            "model": self.model,
            "contract": str(self.contract),
            "norm": norm if np.isfinite(norm) else None,
        }
        vector: bytes = self.embeddings.vector[0].astype("<f4").tobytes()
        return json.dumps(facts).encode() + b"\n" + vector

    @classmethod
    def opened(cls, face_id: str, kept: bytes) -> Probe:
        """What :meth:`sealed` gave."""
        line, _, vector = kept.partition(b"\n")
        facts = json.loads(line)
        array: NDArray[np.float32] = np.frombuffer(vector, "<f4").astype(np.float32)
        norm = np.nan if facts["norm"] is None else facts["norm"]
        embeddings = Embeddings(array[None], np.array([norm], np.float32))
        return cls(face_id, facts["model"], EmbeddingContract.parse(facts["contract"]), embeddings)


def keep(
    gallery: Gallery,
    model: str,
    contract: EmbeddingContract,
    embeddings: Embeddings,
    *,
    seconds: int,
    limit: int,
) -> list[str]:
    """Keep a detection's templates; their new faceIds, in order."""
    probes = [
        Probe(uuid.uuid4().hex, model, contract, embeddings.take([i]))
        for i in range(len(embeddings))
    ]
    if probes:
        sealed = {one.id: one.sealed() for one in probes}
        gallery.annex.keep(KIND, sealed, seconds=seconds, limit=limit)
    return [one.id for one in probes]


def load(
    gallery: Gallery, face_ids: Sequence[str], *, unknown: AzureError | None = None
) -> list[Probe]:
    """The faces of these ids, in their order.

    Raises:
        AzureError: one is unknown or has expired: ``unknown``, or 400 FaceNotFound.
    """
    found = gallery.annex.kept(KIND, face_ids)
    for one in face_ids:
        if one not in found:
            raise unknown or missing("Face", status=400)
    return [Probe.opened(one, found[one]) for one in face_ids]


def joined(probes: Sequence[Probe]) -> tuple[str, Embeddings]:
    """The recognition model that all share, and their templates ``(n, d)``.

    Raises:
        AzureError: they were made with several.
    """
    if len({one.model for one in probes}) > 1 or len({one.contract for one in probes}) > 1:
        raise bad_argument("'recognitionModel' is incompatible.")
    vector = np.concatenate([one.embeddings.vector for one in probes])
    norm = np.concatenate([one.embeddings.norm for one in probes])
    return probes[0].model, Embeddings(vector, norm)
