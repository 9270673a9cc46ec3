"""Where embeddings that DeepFace has stored belong: the group that ``search`` looks into."""

from __future__ import annotations

from typing import get_args

from mien.align.normalisation import Normalisation
from mien.compat.deepface.engines import backend
from mien.compat.deepface.groups import contract_of, group_name
from mien.compat.deepface.names import DETECTORS, RECOGNISERS
from mien.compat.deepface.options import Options
from mien.engine.foreign import Datastore
from mien.errors import InvalidArgument
from mien.types import EmbeddingContract

__all__ = ["place_of"]


def place_of(store: Datastore) -> tuple[str, EmbeddingContract]:
    """The group and the contract of a datastore's embeddings.

    They are those of ``register`` with the same models and the same ``normalization``: DeepFace's
    whole pipeline, which Mien follows where one is named. No group of Mien's own preprocessing can
    hold them, whatever the model.

    Raises:
        InvalidArgument: the file's name does not say how they were made.
        UnknownModel: Mien does not have that model or detector.
        ModelError: the model cannot be had.
    """
    if store.detector is None or store.normalization is None:
        raise InvalidArgument(
            f"{store.file.name!r} does not say with which detector and normalization it was made: "
            "its embeddings cannot be taken over. Leave them out, and the photos are embedded."
        )
    modes = {mode.lower(): mode for mode in get_args(Normalisation)}
    if store.normalization not in modes:
        raise InvalidArgument(f"There is no normalization {store.normalization!r}.")
    options = Options(
        model_name=_spelled(store.model, list(RECOGNISERS)),
        detector_backend=_spelled(store.detector, list(DETECTORS)),
        align=store.aligned,
        expand_percentage=store.expand,
        normalization=modes[store.normalization],
    )
    chosen = backend(options)
    return group_name(chosen, options), contract_of(chosen, options)


def _spelled(name: str, known: list[str]) -> str:
    """DeepFace's spelling of a name that stands in a file's name: in lower case, no hyphens."""
    return next((one for one in known if one.replace("-", "").lower() == name), name)
