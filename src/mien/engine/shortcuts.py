"""One-line functions over an engine that is made on first use and lives as long as Python."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from mien import config
from mien.analysis import Analysis
from mien.answers import Comparison
from mien.attributes import DEFAULT
from mien.engine.core import Engine
from mien.engine.living import Liveness
from mien.image import ImageInput
from mien.models import ModelStore
from mien.results import Detection, Representation
from mien.types import Metric

__all__ = ["analyze", "compare", "default_engine", "detect", "represent"]


def default_engine(detector: str | None = None, embedder: str | None = None) -> Engine:
    """The engine behind the one-line functions: one for each pair of models.

    The settings are read once, when it is first asked for. All of them share their open models.
    """
    settings = _models().settings
    return _engine(detector or settings.detector, embedder or settings.embedder)


@functools.cache
def _models() -> ModelStore:
    return ModelStore(config.load())


@functools.cache
def _engine(detector: str, embedder: str) -> Engine:
    models = _models()
    return Engine(detector=detector, embedder=embedder, models=models, settings=models.settings)


def detect(
    image: ImageInput, *, detector: str | None = None, liveness: Liveness = None
) -> Detection:
    """Find the faces of one photo.

    Args:
        image: path, bytes, file object, base64, data URI, Pillow image or RGB array.
        detector: name of a detector; None: the settings' own.
        liveness: see :meth:`Engine.detect`.

    Raises:
        SpoofSuspected: liveness is enforced, and a face is not taken for live.
        ImageError: the image cannot be used.
        ModelError: a model cannot be had or run.

    Example:
        >>> mien.detect("photo.jpg")[0].box        # doctest: +SKIP
    """
    return default_engine(detector).detect(image, liveness=liveness)


def compare(
    a: ImageInput,
    b: ImageInput,
    *,
    detector: str | None = None,
    embedder: str | None = None,
    fmr: float | None = None,
    threshold: float | None = None,
    metric: Metric | None = None,
    liveness: Liveness = None,
) -> Comparison:
    """Are the largest face of ``a`` and a face of ``b`` the same person's?

    Args:
        a, b: as for :func:`detect`.
        detector, embedder: names of models; None: the settings' own.
        fmr, threshold, metric, liveness: see :meth:`Engine.compare`.

    Raises:
        NoFaceFound: one of the photos shows no face; ``details["image"]`` says which.
        ImageError, ModelError: as for :func:`detect`.

    Example:
        >>> bool(mien.compare("a.jpg", "b.jpg"))   # doctest: +SKIP
    """
    engine = default_engine(detector, embedder)
    return engine.compare(a, b, fmr=fmr, threshold=threshold, metric=metric, liveness=liveness)


def represent(
    image: ImageInput, *, detector: str | None = None, embedder: str | None = None
) -> Representation:
    """The faces of one photo and their embeddings.

    Raises:
        ImageError, ModelError: as for :func:`detect`.

    Example:
        >>> mien.represent("photo.jpg").embeddings.vector.shape   # doctest: +SKIP
    """
    return default_engine(detector, embedder).represent(image)


def analyze(
    image: ImageInput, *, actions: Sequence[str] = DEFAULT, detector: str | None = None
) -> Analysis:
    """The faces of one photo and their attributes.

    Args:
        image: as for :func:`detect`.
        actions: see :meth:`Engine.analyze`.
        detector: name of a detector; None: the settings' own.

    Raises:
        InvalidArgument: an attribute that there is not.
        ImageError, ModelError: as for :func:`detect`.

    Example:
        >>> str(mien.analyze("photo.jpg")[0]["gender"])   # doctest: +SKIP
    """
    return default_engine(detector).analyze(image, actions=actions)
