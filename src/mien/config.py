"""Settings: one frozen object that is passed in; flag > environment > file > default.

Nothing is read when this module is imported. :func:`load` reads ``MIEN_*`` variables and
``mien.toml`` (in the working directory, or the file that ``MIEN_CONFIG`` names).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from mien.errors import ConfigurationError

__all__ = ["Settings", "load"]

Runtime = Literal["auto", "openvino", "onnxruntime"]
Precision = Literal["auto", "float32", "bf16", "int8"]

MEGABYTE = 1_000_000


class Settings(BaseSettings):
    """Everything that can be configured. Field ``x`` is the variable ``MIEN_X``."""

    model_config = SettingsConfigDict(
        env_prefix="MIEN_", frozen=True, extra="forbid", nested_model_default_partial_update=True
    )

    # Where things are kept
    cache_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_cache_dir("mien")),
        description="Folder of model files; it can be deleted at any time.",
    )
    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("mien")),
        description="Folder of the default gallery.",
    )
    gallery: str = Field(
        default="",
        description="Gallery URL, such as sqlite:///file.db; empty: gallery.db in data_dir.",
    )

    # Models and inference
    detector: str = Field(default="yunet", description="Default detector.")
    embedder: str = Field(default="sface", description="Default recognition model.")
    runtime: Runtime = Field(default="auto", description="Inference runtime.")
    precision: Precision = Field(
        default="auto",
        description="Arithmetic of the nets; auto takes the fastest that the card admits.",
    )
    threads: int = Field(
        default=0, ge=0, le=1024, description="Inference thread budget of a process; 0: all cores."
    )
    models_mirror: str = Field(
        default="", description="Folder or URL that is tried first for model files."
    )
    offline: bool = Field(default=False, description="Never use the network.")
    accept_licences: tuple[str, ...] = Field(
        default=(), description="Names of models whose restrictive licence you accept."
    )

    # Limits on one image, checked before it is decoded
    max_image_bytes: int = Field(default=20 * MEGABYTE, gt=0, description="Bytes of one image.")
    max_image_pixels: int = Field(
        default=50_000_000, gt=0, description="Width x height of one image."
    )
    min_image_side: int = Field(default=16, ge=1, description="Shortest side of an image, pixels.")
    max_image_frames: int = Field(
        default=1000, ge=1, description="Frames of an animated image; only the first is used."
    )

    # Enrolment
    enrol_min_face: int = Field(
        default=32, ge=1, description="Shortest side of a face that may be enrolled, pixels."
    )
    enrol_dominance: float = Field(
        default=2.0,
        ge=1,
        description="How many times larger than the next face the enrolled one must be.",
    )

    # Service
    host: str = Field(default="127.0.0.1", description="Address that the server listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that the server listens on.")
    auth: bool = Field(default=True, description="Demand an API key on /v1.")
    workers: int = Field(
        default=0, ge=0, le=256, description="Inference worker threads; 0: one per core."
    )
    queue_size: int = Field(
        default=32, ge=0, description="Requests that may wait for a worker; more get 503."
    )
    request_timeout_s: float = Field(default=30.0, gt=0, description="Deadline of one request.")
    max_request_bytes: int = Field(
        default=64 * MEGABYTE, gt=0, description="Bytes of one request body."
    )
    max_request_images: int = Field(default=16, ge=1, description="Images in one request.")

    @field_validator("models_mirror", "gallery")
    @classmethod
    def _strip(cls, value: str) -> str:
        return value.strip()

    @property
    def gallery_url(self) -> str:
        """The gallery to use: ``gallery``, or the SQLite file in ``data_dir``."""
        return self.gallery or f"sqlite:///{self.data_dir / 'gallery.db'}"

    @property
    def thread_budget(self) -> int:
        """Inference threads that one process may use."""
        return self.threads or available_cores()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, environment, ``mien.toml``."""
        file = Path(os.environ.get("MIEN_CONFIG", "mien.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def load(**overrides: object) -> Settings:
    """Read the settings; keyword arguments (flags) win, ``None`` means not given.

    Raises:
        ConfigurationError: a variable, a flag or the file holds a value that cannot be.

    Example:
        >>> from mien import config
        >>> config.load(port=9000).port
        9000
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"The setting {name!r} cannot be used: {first['msg']}. "
            f"It comes from a flag, MIEN_{name.upper()} or mien.toml.",
            details={"setting": name},
        ) from None
    except (ValueError, OSError) as error:  # unreadable or malformed mien.toml
        raise ConfigurationError(f"mien.toml cannot be read: {error}") from None


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)
