"""The command serve."""

from __future__ import annotations

import click

from mien.cli.run import Run, shared_options

__all__ = ["serve"]


@click.command()
@click.option("--host", metavar="H", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), metavar="P", help="Port (default 8000).")
@click.option("--tls-cert", metavar="FILE", help="Certificate chain (PEM): serve HTTPS.")
@click.option("--tls-key", metavar="FILE", help="The certificate's key (PEM).")
@shared_options(detector=True, embedder=True, gallery=True)
def serve(
    run: Run, host: str | None, port: int | None, tls_cert: str | None, tls_key: str | None
) -> None:
    """Serve the HTTP API and its pages until interrupted."""
    run = run.with_settings(host=host, port=port, tls_cert=tls_cert, tls_key=tls_key)
    run.rooms.serve(run.settings, run.read_settings)
