"""Fixtures of the gallery's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mien.gallery import Gallery
from mien.testing.galleries import random_contract
from mien.types import EmbeddingContract


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'faces.db'}"


@pytest.fixture
def gallery(url: str) -> Iterator[Gallery]:
    with Gallery.open(url) as opened:
        yield opened


@pytest.fixture
def contract() -> EmbeddingContract:
    return random_contract(8)
