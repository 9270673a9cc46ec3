"""Mien's gallery against DeepFace.find on the same faces, in turn, in processes of their own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import worker
from mien import Engine, config
from mien.models.samples import sample_photos
from mien.testing.galleries import unit_vectors
from peers import deepface_dlib_python
from report import Row
from worker import Worker

HERE = Path(__file__).parent
DIM = 128
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def peer(size: int, rounds: int, python: str | None) -> list[Row]:
    """CPU of one query among ``size`` faces; DeepFace's network and detection cost nothing here."""
    with Engine(settings=config.load()) as engine:
        photo = str(sample_photos(engine.models)["Barack Obama"][0])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "embeddings.npy"
        np.save(file, unit_vectors(size, DIM, seed=4))
        url = f"sqlite:///{Path(folder) / 'gallery.db'}"
        theirs = python or deepface_dlib_python()
        # the same code reads the datastore that the first of DeepFace's workers has filled
        where = [str(Path(folder) / "faces"), str(size), str(DIM)]
        mine = [url, str(size), str(file)]
        peer_env = {**ONE_THREAD, "DEEPFACE_HOME": folder}
        workers = {
            "mien": Worker(HERE / "work_mien_find.py", *mine, env=ONE_THREAD),
            "whole": Worker(HERE / "work_mien_find.py", *mine, photo, env=ONE_THREAD),
        }
        for form in ("pandas", "dict"):
            script = HERE / "work_peer_find.py"
            workers[form] = Worker(script, *where, form, python=theirs, env=peer_env)
        answers = {name: one.measure()[1] for name, one in workers.items()}
        assert abs(answers["mien"]["similarity"] - 1) < 1e-5, answers
        assert abs(answers["pandas"]["similarity"] - 1) < 1e-5, answers
        spent = worker.in_turn(workers, rounds)
        for one in workers.values():
            one.close()
    among = f"find among {size:,} faces"
    whole = "Mien from photo to answer"
    return [
        Row(f"{among}: the search", spent["mien"], spent["pandas"], "DeepFace.find, no network"),
        Row(f"{among}: the search", spent["mien"], spent["dict"], "the same, return_type='dict'"),
        Row(f"{among}: {whole}", spent["whole"], spent["pandas"], "DeepFace.find, no network"),
    ]
