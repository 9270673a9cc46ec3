"""The published nets, from the folder of shared weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mien import config
from mien.engine import Engine
from mien.models import ModelStore

FILES = ("2.7_80x80_MiniFASNetV2.pth", "4_0_0_80x80_MiniFASNetV1SE.pth")


@pytest.fixture(scope="session")
def published(shared_data) -> Path:
    """The folder of MiniFASNet's published files."""
    folder = shared_data.parent / "weights"
    if not all((folder / file).is_file() for file in FILES):
        pytest.skip("MiniFASNet's files (../shared/weights) are not here")
    return folder


@pytest.fixture(scope="session")
def live_engine(published) -> Iterator[Engine]:
    """An engine with the real default models and MiniFASNet."""
    settings = config.load(models_mirror=str(published))
    with Engine(settings=settings, models=ModelStore(settings)) as engine:
        yield engine
