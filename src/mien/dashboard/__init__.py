"""The web page: static files, no build step. It talks to ``/v1`` like any other client."""

from __future__ import annotations

from pathlib import Path

__all__ = ["PAGE_CSP", "STATIC", "page"]

STATIC = Path(__file__).parent / "static"
"""Folder of everything that is served under ``/static``."""

PAGE_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The pages load nothing from elsewhere and run no inline script."""


def page(name: str) -> bytes:
    """The HTML of a page: ``index`` or ``docs``."""
    return (STATIC / f"{name}.html").read_bytes()
