"""Identify in groups of many faces: what the search costs beyond detection and embedding."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from mien import Engine, Gallery, config
from mien.models.samples import sample_photos
from mien.types import Embeddings
from report import Row, publish

FACES = 10
SIZES = (1_000, 10_000, 100_000)
ROUNDS = 25


def fill(gallery: Gallery, group: str, engine: Engine, size: int) -> None:
    """Random unit templates, ten faces a person."""
    rng = np.random.default_rng(0)
    contract = engine.embedder.contract
    gallery.create_group(group, contract=contract)
    for start in range(0, size, FACES):
        vector = rng.standard_normal((FACES, contract.dim)).astype(np.float32)
        vector /= np.linalg.norm(vector, axis=1, keepdims=True)
        person = f"person {start}"
        templates = Embeddings(vector, np.full(FACES, 12.6, np.float32))
        gallery.add_faces(group, person, templates, contract=contract, create_person=True)


def main() -> None:
    """Measure and print."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, Engine(settings=config.load(threads=1)) as engine:
        photo = engine.photo(sample_photos(engine.models)["Barack Obama"][0])
        url = f"sqlite:///{Path(folder) / 'gallery.db'}"
        with Gallery.open(url) as gallery:
            for size in SIZES:
                group = f"group-{size}"
                fill(gallery, group, engine, size)
                engine.identify(gallery, group, photo)
                whole, alone = [], []
                for _ in range(ROUNDS):
                    started = time.process_time()
                    engine.identify(gallery, group, photo)
                    middle = time.process_time()
                    engine.represent(photo)
                    whole.append(middle - started)
                    alone.append(time.process_time() - middle)
                extra = (statistics.median(whole) - statistics.median(alone)) * 1e3
                base = statistics.median(alone) * 1e3
                rows.append(
                    Row(
                        f"identify in {size:,} faces, beyond detect + embed",
                        extra,
                        base,
                        "detect + embed alone",
                    )
                )
    publish("identify", rows)


if __name__ == "__main__":
    main()
