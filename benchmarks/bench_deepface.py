"""DeepFace's API: Mien in DeepFace's place against DeepFace 0.0.103, CPU time in one run.

Both find faces with YuNet and embed them with dlib's net, on one thread; DeepFace runs on
ONNX Runtime, without TensorFlow. ``find`` searches a folder whose index has been made.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from PIL import Image

from bench_compare import photos
from mien import config
from mien.models import ModelStore
from mien.models.samples import sample_photos
from peers import deepface_dlib_python
from report import BUILD, Row, publish
from worker import Worker, in_turn

HERE = Path(__file__).resolve().parent
FOLDER = BUILD / "bench" / "deepface"


def weights(store: ModelStore) -> Path:
    """A home for DeepFace with the published files that Mien has of the same nets."""
    folder = FOLDER / "home" / ".deepface" / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        "embed/dlib": "dlib_face_recognition_resnet_model_v1.dat",
        "detect/yunet": "face_detection_yunet_2023mar.onnx",
    }
    for key, name in names.items():
        shutil.copy(store.source_path(store.card(key)), folder / name)
    return folder.parent.parent


def gallery(store: ModelStore, count: int) -> Path:
    """A folder of ``count`` small photos: those of the samples, cut and compressed anew."""
    folder = FOLDER / f"gallery-{count}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    paths = [path for own in sample_photos(store).values() for path in own]
    for number in range(count):
        with Image.open(paths[number % len(paths)]) as photo:
            small = photo.convert("RGB")
            small.thumbnail((300 + number % 17, 300 + number % 17))
            small.save(folder / f"{number:05}.jpg", quality=70 + number % 25)
    return folder


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--photos", type=int, default=300, help="in the folder that find searches")
    options = parser.parse_args()
    store = ModelStore(config.load())
    one, other = photos()
    calls = {
        "verify": (one, other),
        "represent": (one,),
        "find": (one, str(gallery(store, options.photos))),
    }
    peer = {"DEEPFACE_HOME": str(weights(store)), "DEEPFACE_BACKEND_ENGINE": "onnx"}
    rows = []
    for call, images in calls.items():
        workers = {
            "mien": Worker(
                HERE / "work_deepface.py", "mien", call, *images, env={"MIEN_THREADS": "1"}
            ),
            "peer": Worker(
                HERE / "work_deepface.py",
                "deepface",
                call,
                *images,
                python=deepface_dlib_python(),
                env=peer | {"OMP_NUM_THREADS": "1", "DEEPFACE_LOG_LEVEL": "50"},
            ),
        }
        spent = in_turn(workers, options.rounds)
        what = f"find in {options.photos} photos" if call == "find" else call
        rows.append(Row(what, spent["mien"], spent["peer"], "DeepFace 0.0.103"))
        if call == "verify":
            memory = [workers[name].resident_mb() for name in ("mien", "peer")]
            rows.append(Row("peak memory after verify", *memory, "DeepFace 0.0.103", "MB"))
        for worker in workers.values():
            worker.close()
    publish("deepface", rows)


if __name__ == "__main__":
    main()
