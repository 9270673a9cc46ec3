"""Throw-away environments of other systems, made under build/peers."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from report import BUILD

__all__ = ["face_recognition_python"]

# dlib-bin is dlib without a compiler; face_recognition itself asks for the source package.
FACE_RECOGNITION = (
    "dlib-bin==20.0.1.post1",
    "numpy",
    "pillow",
    "click",
    "setuptools<81",
    "face-recognition-models==0.3.0",
)


def face_recognition_python() -> str:
    """The Python of an environment with face_recognition 1.3.0; made on first use."""
    folder = BUILD / "peers" / "face_recognition"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = folder / "done"
    if not done.exists():
        print("Making an environment with face_recognition 1.3.0 …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *FACE_RECOGNITION], check=True, stdout=sys.stderr)
        peer = [*install, "--no-deps", "face_recognition==1.3.0"]
        subprocess.run(peer, check=True, stdout=sys.stderr)
        done.touch()
    return str(Path(python))
