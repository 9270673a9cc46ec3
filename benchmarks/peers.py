"""Throw-away environments of other systems, made under build/peers."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from report import BUILD

__all__ = [
    "deepface_api_python",
    "deepface_dlib_python",
    "deepface_python",
    "face_recognition_python",
    "onnx_recognisers_python",
]

# dlib-bin is dlib without a compiler; face_recognition itself asks for the source package.
FACE_RECOGNITION = (
    "dlib-bin==20.0.1.post1",
    "numpy",
    "pillow",
    "click",
    "setuptools<81",
    "face-recognition-models==0.3.0",
)
# What DeepFace 0.0.103 imports and does not ask for: Werkzeug, and Keras 2 beside TensorFlow.
DEEPFACE = ("deepface==0.0.103", "tensorflow==2.21.0", "tf-keras==2.21.0", "werkzeug")
# The same without TensorFlow, with dlib: what its Dlib model and ONNX Runtime need.
DEEPFACE_DLIB = ("deepface==0.0.103", "onnxruntime", "dlib-bin==20.0.1.post1", "werkzeug")
# And what its HTTP API asks for: its extra "api".
DEEPFACE_API = (
    *DEEPFACE_DLIB,
    "flask==3.1.3",
    "flask-cors==6.0.5",
    "gunicorn==27.0.1",
    "python-dotenv==1.2.4",
)
# What the recognition models of UniFace and InsightFace import, without what the rest of them does.
ONNX_RECOGNISERS = (
    "numpy",
    "onnx",
    "onnxruntime",
    "opencv-python-headless<5",
    "requests",
    "scikit-image",
    "tqdm",
)


def face_recognition_python() -> str:
    """The Python of an environment with face_recognition 1.3.0; made on first use."""
    return _python("face_recognition", FACE_RECOGNITION, ["face_recognition==1.3.0"])


def deepface_python() -> str:
    """The Python of an environment with DeepFace 0.0.103 on TensorFlow; made on first use."""
    return _python("deepface", DEEPFACE, [])


def deepface_dlib_python() -> str:
    """The Python of an environment with DeepFace 0.0.103 on ONNX Runtime, with dlib."""
    return _python("deepface_dlib", DEEPFACE_DLIB, [])


def deepface_api_python() -> str:
    """The Python of an environment with DeepFace 0.0.103, dlib and what its HTTP API asks for."""
    return _python("deepface_api", DEEPFACE_API, [])


def onnx_recognisers_python() -> str:
    """The Python of an environment with UniFace and InsightFace; made on first use."""
    return _python("onnx_recognisers", ONNX_RECOGNISERS, ["uniface==4.2.1", "insightface==2.1"])


def _python(name: str, packages: tuple[str, ...], alone: list[str]) -> str:
    """The Python of ``build/peers/NAME``; ``alone`` are installed without what they ask for."""
    folder = BUILD / "peers" / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = folder / "done"
    if not done.exists():
        print(f"Making an environment for {name} …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *packages], check=True, stdout=sys.stderr)
        if alone:
            subprocess.run([*install, "--no-deps", *alone], check=True, stdout=sys.stderr)
        done.touch()
    return str(Path(python))
