"""TLS of the server: which versions, whose certificate, and whether clients need one."""

from __future__ import annotations

import ssl
from pathlib import Path

from mien.config_exposure import Exposure
from mien.errors import ConfigurationError

__all__ = ["load_certificate", "tls_context"]

OLDEST = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def tls_context(settings: Exposure) -> ssl.SSLContext | None:
    """What the settings ask for; None: plain HTTP.

    Raises:
        ConfigurationError: half of it, or files that cannot be used.
    """
    if settings.tls_cert is None and settings.tls_key is None:
        if settings.tls_client_ca is not None:
            raise _unusable("tls_client_ca", "there is no tls_cert")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = OLDEST[settings.tls_min_version]
    load_certificate(context, settings)
    if settings.tls_client_ca is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except (OSError, ValueError) as error:
            raise _unusable("tls_client_ca", _reason(error)) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def load_certificate(context: ssl.SSLContext, settings: Exposure) -> None:
    """Read the certificate and its key (again); new connections get it.

    Raises:
        ConfigurationError: one of the files is not named or cannot be used.
    """
    cert, key = settings.tls_cert, settings.tls_key
    if cert is None or key is None:
        raise _unusable("tls_cert and tls_key", "only one of them is set")
    for name, file in (("tls_cert", cert), ("tls_key", key)):
        if not Path(file).is_file():
            raise _unusable(name, "there is no such file")
    try:
        # One that fails halfway would leave the certificate of one pair with the key of another.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=_no_password)
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:
        raise _unusable("tls_cert and tls_key", _reason(error)) from None


def _no_password() -> str:
    raise ValueError("the key has a passphrase; give one without")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM, or no match").replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)


def _unusable(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{name} cannot be used: {why}.", details={"setting": name})
