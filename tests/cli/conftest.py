"""A command line over drawn faces: everything but the weights is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from mien.cli.root import cli
from mien.cli.run import Rooms
from mien.testing import drawn_face, mock_engine


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


Mien = Callable[..., Answer]


@pytest.fixture
def rooms() -> Rooms:
    return Rooms(engine=lambda settings, models: mock_engine(settings))


@pytest.fixture
def mien(rooms: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mien:
    """Run ``mien ARGUMENTS`` in a home of its own and return what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIEN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("MIEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MIEN_THREADS", "1")
    (tmp_path / "data").mkdir()

    def run(*arguments: object, input_text: str | None = None, rooms: Rooms = rooms) -> Answer:
        result = CliRunner().invoke(
            cli, [str(argument) for argument in arguments], obj=rooms, input=input_text
        )
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def draw(tmp_path: Path) -> Callable[..., Path]:
    """Save a drawn face: ``draw(identity, name)``; ``width`` makes another photo of it."""

    def save(identity: int, name: str, *, width: int = 320) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn_face(identity, (240, width))).save(file)
        return file

    return save
