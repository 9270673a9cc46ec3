"""Weight files from a seed, for nets whose published files are not here."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mien import config
from mien.models import ModelStore
from mien.models.card import ModelCard, UrlSource
from mien.models.catalogue import load_catalogue


@pytest.fixture(scope="session")
def seeded() -> ModuleType:
    """The module ``seeded_weights``."""
    spec = importlib.util.spec_from_file_location(
        "seeded_weights", Path(__file__).with_name("seeded_weights.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def stand_in(
    seeded: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[ModelCard], ModelStore]:
    """A store in which one card has weights from a seed in a mirror, in place of the published."""

    cache = tmp_path_factory.mktemp("cache")  # of all: equal files are converted once

    @functools.cache
    def made(name: str) -> ModelStore:
        card = load_catalogue()[f"embed/{name}"]
        folder = tmp_path_factory.mktemp(card.name)
        data = seeded.file_of(card.name)
        source = card.sources[0]
        assert isinstance(source, UrlSource)
        (folder / source.file_name).write_bytes(data)
        settings = config.load(
            cache_dir=cache,
            models_mirror=str(folder),
            accept_licences=(card.name,),
            offline=True,
            runtime="onnxruntime",
            precision="float32",
        )
        store = ModelStore(settings)
        sha256 = hashlib.sha256(data).hexdigest()
        ours = dataclasses.replace(card, sources=(UrlSource(source.url, sha256, len(data)),))
        store.__dict__["_catalogue"] = {**load_catalogue(), card.key: ours}
        return store

    return lambda card: made(card.name)
