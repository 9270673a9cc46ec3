"""A pytest plugin: whoever imports ``deepface`` gets ``mien.compat.deepface``.

Only what DeepFace's users import is there: ``DeepFace``, ``modules.*`` with Mien's functions,
``commons.logger``, ``commons.image_utils`` and ``commons.package_utils``. What else DeepFace's
tests reach for is its inside, and is missing. The report is one JSON line a test.
"""

from __future__ import annotations

import base64
import importlib
import json
import logging
import os
import sys
import types
from pathlib import Path

import numpy as np

from mien.compat import deepface
from mien.compat.deepface import folder, frames, images, names
from mien.compat.deepface.exceptions import ImgNotFound
from mien.engine import default_engine

MODULES = [
    "datastore",
    "demography",
    "detection",
    "exceptions",
    "modeling",
    "recognition",
    "representation",
    "streaming",
    "verification",
]


class Logger:
    """DeepFace's logger, as its tests use it."""

    def __getattr__(self, name):
        return lambda *said: logging.getLogger("deepface").debug(*said)


def load_image(image):
    """The image as OpenCV has it, and what it is called."""
    pixels = images.load(image, default_engine()).pixels()
    return np.ascontiguousarray(pixels[..., ::-1]), image if isinstance(image, str) else "image"


def load_image_from_base64(uri):
    """The image of a data URI."""
    _, _, body = uri.partition(",")
    if not body:
        raise ImgNotFound("format error in base64 encoded string")
    return load_image(base64.b64decode(body))[0]


def list_images(path):
    """Paths of the photos in a folder."""
    return [os.path.join(path, name) for name, _ in folder.images_of(path)]  # noqa: PTH118


def _module(name, **content):
    module = types.ModuleType(name)
    module.__dict__.update(content)
    module.__path__ = []
    sys.modules[name] = module
    parent, _, own = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], own, module)


def stand_in():
    """Put the stand-in in DeepFace's place."""
    _module("deepface", DeepFace=deepface, __version__=deepface.__version__)
    _module("deepface.modules")
    for name in MODULES:
        module = importlib.import_module(f"mien.compat.deepface.{name}")
        sys.modules[f"deepface.modules.{name}"] = module
        setattr(sys.modules["deepface.modules"], name, module)
    _module("deepface.commons")
    _module("deepface.commons.logger", Logger=Logger)
    _module(
        "deepface.commons.image_utils",
        load_image=load_image,
        load_image_from_base64=load_image_from_base64,
        list_images=list_images,
        yield_images=list_images,
    )
    _module(
        "deepface.commons.package_utils",
        resolve_dataframe_return_type=frames.resolve_return_type,
        importlib=importlib,
    )

    model = os.environ.get("DEEPFACE_TESTS_MODEL")
    if model:
        names.RECOGNISERS.update(dict.fromkeys(names.RECOGNISERS, model))


stand_in()


def _reason(report):
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        return crash.message.splitlines()[0] if crash.message else "failed"
    lines = [line for line in str(report.longrepr).splitlines() if line.startswith("E ")]
    return lines[-1][1:].strip() if lines else str(report.longrepr).splitlines()[-1]


def _write(line):
    with Path(os.environ["DEEPFACE_TESTS_REPORT"]).open("a") as file:
        file.write(json.dumps(line) + "\n")


def pytest_runtest_logreport(report):
    """One line for each test that was run, or could not be set up."""
    if report.when == "call" or (report.when == "setup" and not report.passed):
        reason = "" if report.passed else _reason(report)
        _write({"test": report.nodeid, "outcome": report.outcome, "reason": reason})


def pytest_collectreport(report):
    """One line for each file that could not be imported."""
    if report.failed:
        _write({"test": report.nodeid, "outcome": "not collected", "reason": _reason(report)})
