"""DeepFace's own unit tests, run against ``mien.compat.deepface``.

    make deepface-tests DEEPFACE=path/to/a/checkout/of/deepface

The checkout is yours and is not changed: its ``tests/unit`` is copied to ``build/deepface-tests``.
Tests of DeepFace's inside (its weights, databases, servers) are left out by name; what fails of
the rest is listed with its reason. Tests of models whose weights cannot be had fail with that.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from report import BUILD

HERE = Path(__file__).parent
FOLDER = BUILD / "deepface-tests"

# Tests of what is no part of DeepFace's Python API: its server, weights, databases and nets.
INSIDE = [
    "test_api*",
    "test_backend_isolation*",
    "test_buffalo*",
    "test_centerface*",
    "test_commons*",
    "test_datastore_formats*",
    "test_datastore_normalized*",
    "test_encrypt*",
    "test_euclidean_distance_mem*",
    "test_face_crop*",
    "test_facenet_pre*",
    "test_faiss*",
    "test_filestore*",
    "test_find_batched*",
    "test_find_color*",
    "test_find_missing*",
    "test_grpc*",
    "test_milvus*",
    "test_opencv_haar*",
    "test_register_connection*",
    "test_signature*",
    "test_singleton*",
    "test_sqlite*",
    "test_ssd*",
    "test_version*",
    "test_weaviate*",
    "visual-test*",
]

KINDS = (
    ("ModelUnavailable", "the model's weights cannot be had here"),
    ("LicenceNotAccepted", "the model's licence is not accepted"),
    ("has no attribute", "it reaches into DeepFace's inside"),
    ("cannot import name", "it reaches into DeepFace's inside"),
    ("No module named 'deepface", "it reaches into DeepFace's inside"),
    ("No module named", "it imports what is not installed"),
    ("ImgNotFound: The image cannot be fetched", "no network"),
)


def main() -> int:
    """Run the tests, print what came of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkout", type=Path, help="a checkout of github.com/serengil/deepface")
    parser.add_argument("-k", default="", help="only tests whose names match, as in pytest")
    parser.add_argument(
        "--model",
        default="",
        help="answer every recognition model's name with this one, such as sface: the API is "
        "tested where a model's weights cannot be had",
    )
    options = parser.parse_args()
    if not (options.checkout / "tests" / "unit").is_dir():
        print("That is no checkout of DeepFace: it has no tests/unit.", file=sys.stderr)
        return 2
    report = _run(options.checkout, options.k, options.model)
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    outcomes = collections.Counter(line["outcome"] for line in lines)
    print("\n" + ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))
    for line in lines:
        if line["outcome"] != "passed":
            print(f"- {line['test']}: {line['outcome']}, {_kind(line['reason'])}")
            print(f"    {line['reason'][:200]}")
    return 0


def _run(checkout: Path, chosen: str, model: str) -> Path:
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(checkout / "tests" / "unit", FOLDER / "tests" / "unit")
    for file in checkout.glob("requirements*.txt"):  # a test reads one as "no image"
        shutil.copy(file, FOLDER)
    report = FOLDER / "report.jsonl"
    report.touch()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "deepface_stand_in", "--tb=short"]
    command += ["-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", "."]
    command += ["--continue-on-collection-errors"]
    command += [f"--ignore-glob={name}" for name in INSIDE]
    command += ["-k", chosen] if chosen else []
    subprocess.run(
        [*command, "."],
        cwd=FOLDER / "tests" / "unit",
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
            "DEEPFACE_TESTS_REPORT": str(report),
            "DEEPFACE_TESTS_MODEL": model,
        },
        stdout=sys.stderr,
        check=False,
    )
    return report


def _kind(reason: str) -> str:
    return next((kind for word, kind in KINDS if word in reason), "it differs")


if __name__ == "__main__":
    sys.exit(main())
