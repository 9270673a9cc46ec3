"""Recognition models that are had by address alone, against the code that they are known from.

    make prove
    make prove ARGS="--only deepid openface"

Their published files are not downloaded. DeepFace's own Keras graphs get random weights and are
saved as the published files are; Mien fetches each file over http from this machine by its own
loader, converts it without TensorFlow, and embeds the same crop of a real photo: ``as trained``
through the card's preprocessing, ``as DeepFace`` with what DeepFace feeds its nets. The nets that
are published as ONNX are stood in for by a small one of the same inputs and outputs, and compared
with InsightFace's and UniFace's own alignment and preprocessing.

The other systems live in throw-away environments that this script makes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from mien import config, detect, embed
from mien.embed.aligned import AlignedNet
from mien.image import open_photo
from mien.models import ModelStore
from mien.models.samples import sample_photos
from mien.testing import MockSession
from peers import deepface_python, onnx_recognisers_python
from report import REPOSITORY

KERAS = (
    "vgg-face",
    "facenet",
    "facenet512",
    "openface",
    "deepface",
    "arcface",
    "ghostfacenet",
    "deepid",
)
ONNX = ("buffalo_l", "buffalo_s", "adaface_ir18", "edgeface_xxs", "mobileface_mnv2")
TOLERANCE = 1e-4
NORMALISED_AFTERWARDS = {"vgg-face"}
"""DeepFace brings the net's output to unit length itself."""

HERE = Path(__file__).parent


def difference(name: str, ours: np.ndarray, norm: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference of any number, in units of the largest number."""
    raw = ours if name in NORMALISED_AFTERWARDS else ours * norm[:, None]
    return float(np.abs(raw - theirs).max() / np.abs(theirs).max())


def run(python: str, script: str, *arguments: str) -> str:
    """What a worker prints."""
    command = [python, "-W", "ignore", str(HERE / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{script} {arguments[0]} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def prove(name: str, folder: Path, face: tuple, models: ModelStore, python: str) -> bool:
    """Compare one model; print the row."""
    image, found = face
    net = AlignedNet(
        models.card(name, "embed"), MockSession({"none": np.zeros(1)}), source_sha256=""
    )
    np.save(folder / "crops.npy", net.crop(image, found)[None])
    if name in KERAS:
        run(python, "work_peer_deepface.py", name, str(folder))
        (file,) = folder.glob("net.h5*")
        theirs = dict(np.load(folder / "answers.npz"))
    else:
        file = stand_in(folder)
        np.save(folder / "image.npy", np.ascontiguousarray(image[..., ::-1]))
        # In double precision: in single, their least squares is off by 1e-5 pixels, and a few
        # pixels of the crop by one or two levels.
        np.save(folder / "points.npy", found.landmarks.astype(np.float64))
        paths = [str(folder / one) for one in ("net.onnx", "image.npy", "points.npy", "theirs.npy")]
        run(python, "work_peer_recognisers.py", name, *paths)
        theirs = {"as_trained": np.load(folder / "theirs.npy")[None]}
    said = json.loads(run(sys.executable, "work_mien_embed.py", name, str(folder), file.name))
    ours = np.load(folder / "mien.npz")
    apart = {
        way: difference(name, ours[way], ours[f"{way}_norm"], wanted)
        for way, wanted in theirs.items()
    }
    good = said["pinned"] and all(value < TOLERANCE for value in apart.values())
    print(
        f"{name:16} {ours['as_trained'].shape[1]:5d} {ours['as_trained_norm'][0]:12.5g}   "
        f"{apart['as_trained']:.1e}    {apart.get('as_deepface', float('nan')):.1e}  "
        f"{file.stat().st_size / 1e6:8.1f} {said['converter_peak_mb']:8.0f}  {said['runtime']:12} "
        f"{'ok' if good else 'DIFFERS'}",
        flush=True,
    )
    return good


def stand_in(folder: Path) -> Path:
    """A small net of the published ones' inputs and outputs."""
    sys.path.insert(0, str(REPOSITORY / "tests" / "embed"))
    from seeded_weights import onnx_file

    file = folder / "net.onnx"
    file.write_bytes(onnx_file())
    return file


def real_face(models: ModelStore) -> tuple:
    """A sample photo and its face."""
    photo = next(path for paths in sample_photos(models).values() for path in paths)
    image = open_photo(photo).scaled(1024)
    return image, detect.create("yunet", models).detect([image])[0][0]


def main() -> None:
    """Prove what was asked for, or everything; exit status 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=KERAS + ONNX, default=KERAS + ONNX)
    parser.add_argument(
        "--deepface-python", help="an environment with DeepFace 0.0.103, if there is"
    )
    parser.add_argument("--recognisers-python", help="one with UniFace 4.2.1 and InsightFace 2.1")
    options = parser.parse_args()
    models = ModelStore(config.load())
    missing = {*options.only} - {*embed.names()}
    assert not missing, missing
    face = real_face(models)
    print("model             dims  norm        as trained  as DeepFace  file MB  conv. MB  runtime")
    good = True
    for name in options.only:
        if name in KERAS:
            python = options.deepface_python or deepface_python()
        else:
            python = options.recognisers_python or onnx_recognisers_python()
        with tempfile.TemporaryDirectory() as folder:
            good &= prove(name, Path(folder), face, models, python)
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
