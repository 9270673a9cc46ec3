"""The groups of a gallery that DeepFace's database functions use, and the search in one."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mien.compat.deepface import faces
from mien.compat.deepface.distances import find_distance
from mien.compat.deepface.engines import Backend
from mien.compat.deepface.exceptions import EmptyDatasource, error
from mien.compat.deepface.frames import Rows
from mien.compat.deepface.options import Options
from mien.compat.deepface.thresholds import Decision
from mien.errors import InvalidArgument, NotFound
from mien.gallery import Gallery, StoredFace
from mien.types import EmbeddingContract, Embeddings

__all__ = ["Searcher", "contract_of", "group_name", "registered"]

AT_ONCE = 500  # persons whose faces are compared at a time

Vector = np.ndarray[Any, Any]


def group_name(chosen: Backend, options: Options) -> str:
    """The group of this way of embedding: embeddings of two ways are never compared."""
    parts = [
        "deepface",
        chosen.recogniser,
        chosen.detector,
        "aligned" if options.align else "unaligned",
        *([f"expand{options.expand_percentage}"] if options.expand_percentage else []),
        *([options.normalization] if options.normalization else []),
    ]
    return ".".join(parts)


def contract_of(chosen: Backend, options: Options) -> EmbeddingContract:
    """The model's own contract, or another one where the crops are not the model's own."""
    contract = chosen.engine.embedder.contract
    way = group_name(chosen, options).split(".", 3)[3]
    if way == "aligned":
        return contract
    return dataclasses.replace(contract, model=f"{contract.model}.{way}")


class Searcher:
    """One group, searched."""

    def __init__(
        self, gallery: Gallery, chosen: Backend, options: Options, decision: Decision
    ) -> None:
        self._gallery = gallery
        self._group = group_name(chosen, options)
        self._contract = contract_of(chosen, options)
        self._decision = decision
        self._persons = self._size()

    def _size(self) -> int:
        """How many persons there are; raises NotFound where there is no face."""
        try:
            group = self._gallery.group(self._group)
        except NotFound:
            group = None
        if group is None or not group.faces:
            raise error(
                NotFound,
                EmptyDatasource,
                "No embeddings found in the database for these models: register some first.",
            )
        return group.persons

    def nearest(self, unit: Vector, k: int) -> list[str]:
        """Ids of the k persons most like a vector of unit length."""
        (hits,) = self._gallery.search(self._group, unit[None], k=k, contract=self._contract)
        return [hit.person_id for hit in hits]

    def rows(
        self,
        vector: Vector,
        facts: dict[str, Any],
        limit: float | None,
        k: int | None,
    ) -> Rows:
        """The registered faces within the limit, closest first."""
        found: list[tuple[float, str]] = []
        persons = self.nearest(faces.unit_length(vector).astype(np.float32), self._persons)
        for start in range(0, len(persons), AT_ONCE):
            for ids, enrolled in self._gallery.faces_of(
                self._group, persons[start : start + AT_ONCE]
            ).values():
                raw = _raw(enrolled)
                (distances,) = find_distance(raw, vector[None], self._decision.metric)
                found += zip(distances.tolist(), ids, strict=True)
        near = sorted(pair for pair in found if limit is None or pair[0] <= limit)[:k]
        return [self._row(distance, face_id, facts) for distance, face_id in near]

    def _row(self, distance: float, face_id: str, facts: dict[str, Any]) -> dict[str, Any]:
        face = self._gallery.face(self._group, face_id)
        box = face.box
        sides = (None,) * 4 if box is None else (box.x0, box.y0, box.width, box.height)
        target = {
            f"target_{side}": None if value is None else round(value)
            for side, value in zip("xywh", sides, strict=True)
        }
        return {
            "id": face.id,
            "img_name": face.person,
            **facts,
            **target,
            "threshold": self._decision.threshold,
            "distance_metric": self._decision.metric,
            "distance": distance,
            "confidence": self._decision.confidence(distance),
        }


def registered(
    gallery: Gallery,
    group: str,
    identity_id: Any,  # noqa: ANN401
) -> tuple[StoredFace, Vector]:
    """A registered face and its raw embedding ``(d,)``."""
    missing = NotFound("No embedding found in the database for this identity_id and these models.")
    try:
        face = gallery.face(group, str(identity_id))
        kept, embeddings = gallery.embeddings(group, face.person_id)
    except (NotFound, InvalidArgument):
        raise missing from None
    for one, raw in zip(kept, _raw(embeddings), strict=True):
        if one.id == face.id:
            return face, raw
    raise missing


def _raw(kept: Embeddings) -> Vector:
    """Embeddings of their own length; of unit length where that is not known."""
    return np.asarray(kept.vector * np.nan_to_num(kept.norm, nan=1.0)[:, None])
