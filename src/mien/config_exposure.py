"""Exposure: settings of a server that others can reach."""

from __future__ import annotations

import ipaddress
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

__all__ = ["MODELS", "RELOADED", "Exposure"]


def _listed(value: Any) -> Any:  # noqa: ANN401 - whatever a source gives
    """A list; in the environment one of JSON, or names with commas between them."""
    if not isinstance(value, str):
        return value
    if value.strip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("neither a JSON list nor names with commas") from None
    return [name.strip() for name in value.split(",") if name.strip()]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]


class Exposure(BaseSettings):
    """What protects a server from those who can reach it, and what it says of its work."""

    rate_per_key: float = Field(
        default=0.0,
        ge=0,
        description="Requests per second that one API key may make in the long run; 0: any number.",
    )
    rate_per_address: float = Field(
        default=0.0,
        ge=0,
        description="Requests per second that may come from one address in the long run, with or "
        "without a key; 0: any number.",
    )
    rate_burst: int = Field(
        default=20, ge=1, description="Requests that may come at once before the rates count."
    )
    lockout_failures: int = Field(
        default=30,
        ge=0,
        description="Wrong keys within lockout_s after which an address may try no more keys that "
        "are new to the server; 0: any number.",
    )
    lockout_s: float = Field(
        default=60.0, gt=0, description="Seconds that an address is locked out."
    )
    trusted_proxies: Names = Field(
        default=(),
        description="Addresses and networks of reverse proxies whose X-Forwarded-For is believed; "
        "nobody else's is.",
    )
    header_timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="Seconds that a client has for the head of a request, from the connection on.",
    )
    max_connections: int = Field(
        default=0,
        ge=0,
        description="Connections at once; beyond it, the one that has waited longest without a "
        "request is closed. 0: as many as the system's limit of open files allows.",
    )
    allowed_hosts: Names = Field(
        default=(),
        description="Names that the server goes by in the header Host, such as mien.example.org or "
        "*.example.org; not set: any, and without API keys addresses and local names only.",
    )
    cors_origins: Names = Field(
        default=(),
        description="Origins whose pages may call the API from a browser, such as "
        "https://app.example.org; *: any.",
    )
    tls_cert: Path | None = Field(
        default=None, description="File of the certificate chain (PEM); with tls_key: serve HTTPS."
    )
    tls_key: Path | None = Field(default=None, description="File of the certificate's key (PEM).")
    tls_min_version: Literal["1.2", "1.3"] = Field(
        default="1.2", description="Oldest version of TLS that is spoken: 1.2 or 1.3."
    )
    tls_client_ca: Path | None = Field(
        default=None,
        description="File of the authorities (PEM) one of which must have signed a client's "
        "certificate; not set: clients need none.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="Lines of the log: text, or one JSON object each."
    )
    traces: Literal["off", "otlp"] = Field(
        default="off",
        description="OpenTelemetry traces of requests and their stages: off, or otlp (sent over "
        "HTTP to where OTEL_EXPORTER_OTLP_ENDPOINT says; needs mien[otel]).",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.ip_network(one)
            except ValueError:
                raise ValueError(f"{one!r} is neither an address nor a network") from None
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if re.fullmatch(r"\*|(\*\.)?[A-Za-z0-9._-]+", one) is None and not _is_address(one):
                raise ValueError(f"{one!r} is no name or address of a host, without a port")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            scheme, _, rest = one.partition("://")
            if one != "*" and (scheme not in {"http", "https"} or not rest or "/" in rest):
                raise ValueError(f"{one!r} is no origin such as https://app.example.org")
        return value


RELOADED = (
    "rate_per_key",
    "rate_per_address",
    "rate_burst",
    "lockout_failures",
    "lockout_s",
    "allowed_hosts",
    "request_timeout_s",
    "max_request_images",
    "liveness",
    "liveness_condition",
)
"""Settings that a running server takes anew on SIGHUP; what is not here and not in :data:`MODELS`
needs a restart."""

MODELS = (
    "detector",
    "embedder",
    "runtime",
    "precision",
    "model_memory_mb",
    "models_mirror",
    "offline",
    "accept_licences",
    "liveness_fallback",
)
"""Settings for which a running server loads models anew on SIGHUP."""
