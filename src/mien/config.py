"""Settings: one frozen object that is passed in; flag > environment > file > default.

Nothing is read when this module is imported. :func:`load` reads ``MIEN_*`` variables and
``mien.toml`` (in the working directory, or the file that ``MIEN_CONFIG`` names; that one must
exist).
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import quote

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from mien.config_exposure import Exposure
from mien.errors import ConfigurationError
from mien.spelling import no_such

__all__ = ["Settings", "load"]

Runtime = Literal["auto", "openvino", "onnxruntime"]
Precision = Literal["auto", "float32", "bf16", "int8"]
LivenessPolicy = Literal["off", "observe", "enforce"]
LivenessCondition = Literal["weak", "balanced", "strict"]

MEGABYTE = 1_000_000
DIALECTS = ("azure", "nhn", "luxand", "compreface")


class Settings(Exposure):
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
        description="Folder of the default gallery, and of uploads that wait for their job.",
    )
    gallery: str = Field(
        default="",
        repr=False,
        description="Gallery URL: sqlite:///file.db or postgresql://host/database; "
        "empty: gallery.db in data_dir.",
    )
    index: str = Field(
        default="",
        repr=False,
        description="Where vectors are searched: empty for this process, "
        "milvus+http://host:19530 for a Milvus server, milvus+file:index.db for Milvus Lite.",
    )
    master_key: SecretStr | None = Field(
        default=None,
        description="Master keys that protect the gallery: 32 bytes each in base64, newest first, "
        "with commas between them; instead of master_key_file.",
    )
    master_key_file: Path | None = Field(
        default=None,
        description="File of the master keys; not set: master.key in the user's configuration "
        "folder, made on first use.",
    )
    kms: str = Field(
        default="",
        description="Key-management service that holds the master key: a name of the entry-point "
        "group mien.kms.",
    )

    archive_passphrase: SecretStr | None = Field(
        default=None,
        description="Passphrase of archives (mien gallery export, import), at least 12 characters; "
        "not set: it is asked for.",
    )

    # Models and inference
    detector: str = Field(default="yunet", description="Default detector.")
    embedder: str = Field(default="sface", description="Default recognition model.")
    runtime: Runtime = Field(default="auto", description="Inference runtime.")
    precision: Precision = Field(
        default="auto",
        description="Arithmetic of the nets; auto takes the fastest that the card admits, any "
        "other is never replaced.",
    )
    threads: int = Field(
        default=0, ge=0, le=1024, description="Inference thread budget of a process; 0: all cores."
    )
    model_memory_mb: int = Field(
        default=800,
        ge=0,
        description="What open models may hold, in millions of bytes; above it those that have not "
        "been used for longest are closed until they are needed. 0: any amount.",
    )
    models_mirror: str = Field(
        default="", repr=False, description="Folder or URL that is tried first for model files."
    )
    offline: bool = Field(default=False, description="Never use the network.")
    accept_licences: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Names of models whose restrictive licence you accept."
    )

    # Liveness
    liveness: LivenessPolicy = Field(
        default="off",
        description="Whether faces are checked for being live: off, observe (the answer says so) "
        "or enforce (what is not live is refused). A request to the service may ask for more, "
        "never for less.",
    )
    liveness_condition: LivenessCondition = Field(
        default="balanced",
        description="How sure a live face must look: weak, balanced or strict. A request to the "
        "service may ask for more, never for less.",
    )
    liveness_fallback: bool = Field(
        default=True,
        description="Use the net that is installed with Mien where the files of the liveness nets "
        "cannot be had; answers say so. Without it, that is the error weights_missing.",
    )

    # Liveness sessions
    sessions_per_minute: int = Field(
        default=60,
        ge=1,
        description="Liveness sessions that one application may begin in a minute.",
    )
    sessions_per_subject: int = Field(
        default=5,
        ge=1,
        description="Liveness sessions that may be begun about one subject in ten minutes.",
    )
    session_keep_hours: float = Field(
        default=24.0,
        ge=0.1,
        le=8760,
        description="Hours that a liveness session's result, and the hashes of its frames, are "
        "kept.",
    )

    session_images: int = Field(
        default=100,
        ge=0,
        description="Frames that one application may have kept of liveness sessions whose client "
        "asks for it (Azure's enableSessionImage), one of each session; 0: never.",
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
    enrol_duplicate_fpir: float = Field(
        default=0.001,
        gt=0,
        lt=1,
        description="Rate at which a new person may be taken for somebody else of a group that "
        "warns of duplicates or refuses them.",
    )
    keep_crop_side: int = Field(
        default=512,
        ge=112,
        le=2048,
        description="Longest side of a crop that is kept with a face, pixels; larger ones are "
        "scaled down.",
    )
    keep_crop_quality: int = Field(
        default=95, ge=50, le=100, description="JPEG quality of a crop that is kept with a face."
    )
    bulk_max_photos: int = Field(
        default=100_000, ge=1, description="Photos in one zip that is enrolled."
    )
    bulk_max_bytes: int = Field(
        default=20_000 * MEGABYTE, ge=1, description="Bytes of all photos of one zip, unpacked."
    )
    migrate_max_bytes: int = Field(
        default=2000 * MEGABYTE,
        ge=1,
        description="Bytes of one file of another program's vectors, and what reading it may take.",
    )
    max_jobs: int = Field(
        default=16, ge=1, description="Unfinished jobs of one application; more are refused."
    )
    job_keep_days: float = Field(
        default=30.0, ge=0, description="Days that the record of a finished job is kept."
    )

    audit_searches: Literal["off", "on"] = Field(
        default="off",
        description="Whether identify and verify write to the audit log who searched, when, in "
        "which group and whom it gave: off or on.",
    )

    # Service
    purge_interval_s: float = Field(
        default=3600.0,
        ge=0,
        description="Seconds from one purge of what retention no longer allows to the next, by the "
        "server; 0: none, run `mien gallery purge`.",
    )
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
    drain_s: float = Field(
        default=1.0,
        ge=0,
        le=60,
        description="Seconds for which a server that stops still tells open connections so (503, "
        "Connection: close), before it closes those that ask nothing.",
    )
    max_request_bytes: int = Field(
        default=64 * MEGABYTE, gt=0, description="Bytes of one request body."
    )
    max_request_images: int = Field(default=16, ge=1, description="Images in one request.")
    max_archive_bytes: int = Field(
        default=20_000 * MEGABYTE,
        gt=0,
        description="Bytes of an archive that is sent to be imported.",
    )
    idempotency_keep_s: float = Field(
        default=86_400.0,
        gt=0,
        description="Seconds for which the answer to an Idempotency-Key is kept.",
    )
    idempotency_max_keys: int = Field(
        default=20_000,
        ge=1,
        description="Idempotency keys of one application; the oldest answers go first.",
    )
    idempotency_max_bytes: int = Field(
        default=65_536, ge=0, description="Bytes of an answer that is kept for its Idempotency-Key."
    )

    # Dialects of other services' APIs
    dialects: Annotated[tuple[str, ...], NoDecode] = Field(
        default=DIALECTS, description="Dialects that the server speaks beside /v1."
    )
    nhn_confidence_scale: Literal[1, 100] = Field(
        default=1,
        description="What the confidence of a face goes up to in the NHN dialect: 1 or 100.",
    )
    nhn_min_face: int = Field(
        default=60, ge=1, description="Shortest side of a face that the NHN dialect sees, pixels."
    )
    azure_models: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Recognition models behind Azure's names, such as recognition_01=dlib; a name "
        "that is not listed is the default recognition model.",
    )
    azure_face_ids: int = Field(
        default=100_000,
        ge=1,
        description="Faces of /azure/…/detect that one application may have waiting at once; "
        "beyond it the ones that would expire next are forgotten.",
    )
    azure_snapshots: int = Field(
        default=16,
        ge=1,
        le=1000,
        description="Snapshots of /azure/…/snapshots that one application may have at once.",
    )
    azure_snapshot_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=1024,
        le=512 * 1024 * 1024,
        description="Size of one snapshot of /azure/…/snapshots, bytes; it is held in memory while "
        "it is taken or applied.",
    )

    # Photos by URL, where a dialect's clients send one
    fetch_urls: bool = Field(
        default=True, description="Fetch photos by URL for the dialects that know such requests."
    )
    fetch_networks: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Networks that URLs may lead to beside public addresses, such as 10.1.0.0/16.",
    )
    fetch_ports: str = Field(
        default="80,443,10000-12000", description="Ports and ranges of ports that URLs may name."
    )
    fetch_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds in which the photo behind a URL must be there."
    )
    fetch_redirects: int = Field(
        default=3, ge=0, le=10, description="Redirects of a URL that are followed."
    )

    @field_validator("models_mirror", "gallery", "index")
    @classmethod
    def _strip(cls, value: str) -> str:
        return value.strip()

    @field_validator("host")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value.strip():  # a server would take it for all interfaces
            raise ValueError(
                "an empty address; 127.0.0.1 is this machine only, 0.0.0.0 every interface"
            )
        return value.strip()

    @field_validator("dialects")
    @classmethod
    def _spoken(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in DIALECTS:
                raise ValueError(no_such("dialect", name, DIALECTS).rstrip("."))
        return tuple(dict.fromkeys(value))

    @field_validator("azure_models")
    @classmethod
    def _paired(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"recognition_0[1-4]=[\w.-]+", pair) for pair in value):
            raise ValueError("not pairs such as recognition_01=dlib")
        return value

    @field_validator("accept_licences", "fetch_networks", "dialects", "azure_models", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:  # noqa: ANN401 - whatever a source gives
        """A list; in the environment one of JSON, or names with commas between them."""
        if not isinstance(value, str):
            return value
        if value.strip().startswith("["):
            try:
                return json.loads(value)
            except ValueError:
                raise ValueError("neither a JSON list nor names with commas") from None
        return [name.strip() for name in value.split(",") if name.strip()]

    @property
    def gallery_url(self) -> str:
        """The gallery to use: ``gallery``, or the SQLite file in ``data_dir``."""
        file = quote(str(self.data_dir / "gallery.db"), safe="/\\: ")  # % and ? mean something
        return self.gallery or f"sqlite:///{file}"

    @property
    def key_file(self) -> Path:
        """The file of the master keys: ``master_key_file``, or the user's own."""
        return self.master_key_file or Path(platformdirs.user_config_dir("mien")) / "master.key"

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
        """Order the sources: arguments, environment, ``mien.toml``.

        Raises:
            ConfigurationError: the file that ``MIEN_CONFIG`` names is none, or cannot be read.
        """
        file = _file()
        if os.environ.get("MIEN_CONFIG") and not file.is_file():
            what = "a folder" if file.is_dir() else "not there"
            raise ConfigurationError(
                f"The settings file {file.name} that MIEN_CONFIG names is {what}: name a file, or "
                "unset MIEN_CONFIG.",
                details={"setting": "MIEN_CONFIG"},
            )
        try:
            table = TomlConfigSettingsSource(settings_cls, file)
        except (ValueError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigurationError(f"{file.name} cannot be read: {reason}.") from None
        return init_settings, env_settings, table


def _file() -> Path:
    """The file that settings are read from, if it is there."""
    return Path(os.environ.get("MIEN_CONFIG") or "mien.toml")


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
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            said = no_such("setting", name, Settings.model_fields).rstrip(".")
        elif first["type"] == "literal_error":
            known = get_args(Settings.model_fields[name].annotation)
            said = no_such(name, first["input"], known).rstrip(".")
        raise ConfigurationError(
            f"The setting {name!r} cannot be used: {said}. "
            f"It comes from a flag, MIEN_{name.upper()} or {_file().name}.",
            details={"setting": name},
        ) from None
    except SettingsError as error:  # a variable whose text is not of the form that it must have
        raise ConfigurationError(f"A MIEN_ variable cannot be used: {error}.") from None


def available_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)
