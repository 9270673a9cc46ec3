"""Runs in Mien's environment: a recognition model whose published file is served on this machine.

    python work_mien_embed.py MODEL FOLDER FILE

Serves FOLDER over http, points the model's card at FILE there, lets Mien fetch, convert and open
it, and writes embeddings of FOLDER/crops.npy into FOLDER/mien.npz. Prints what it cost as JSON.
"""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import resource
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np

from mien import config, embed
from mien.models import ModelStore
from mien.models.cache import sha256_of
from mien.models.card import ModelCard, UrlSource


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def served(card: ModelCard, folder: Path, file: str, address: str) -> ModelCard:
    """The card with its source here; the hash is pinned where the published one is."""
    known = card.source_sha256 is not None
    sha256 = sha256_of(folder / file) if known else None
    size = (folder / file).stat().st_size if known else None
    return dataclasses.replace(card, sources=(UrlSource(f"{address}/{file}", sha256, size),))


def main() -> None:
    """Serve, fetch, convert, embed."""
    name, folder, file = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    handler = functools.partial(Quiet, directory=str(folder))
    with (
        tempfile.TemporaryDirectory() as cache,
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server,
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = config.load(cache_dir=cache, precision="float32", accept_licences=(name,))
        models = ModelStore(settings)
        card = models.card(name, "embed")
        address = f"http://127.0.0.1:{server.server_address[1]}"
        models.__dict__["_catalogue"] = {card.key: served(card, folder, file, address)}
        models.path(models.card(name, "embed"))
        converting = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        embedder = embed.create(name, models)
        crops = np.load(folder / "crops.npy")
        default = np.ascontiguousarray(crops[..., ::-1] / 255, np.float32)
        as_trained, as_deepface = embedder.embed(crops), embedder.forward(default)
        np.savez(
            folder / "mien.npz",
            as_trained=as_trained.vector,
            as_trained_norm=as_trained.norm,
            as_deepface=as_deepface.vector,
            as_deepface_norm=as_deepface.norm,
        )
        session = models.open(models.card(name, "embed"), streams=settings.thread_budget)
        server.shutdown()
    contract = embedder.contract.source_sha256 == sha256_of(folder / file)
    said = {"converter_peak_mb": converting / 1000, "runtime": session.runtime, "pinned": contract}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
