"""The public face of the package."""

import subprocess
import sys

import pytest

import mien


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_all_names_exist():
    for name in mien.__all__:
        assert getattr(mien, name) is not None, name


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = mien.no_such_name


def test_importing_mien_pulls_in_nothing_heavy():
    heavy = "cv2 numpy onnx onnxruntime openvino fastapi sqlalchemy faiss PIL pydantic scipy"
    code = f"import mien, sys; print([name for name in {heavy.split()!r} if name in sys.modules])"
    assert python(code) == "[]"


def test_detect_is_a_function_and_a_package_whatever_is_imported_first():
    for first in ("import mien", "import mien.detect.yunet", "from mien import Engine"):
        code = (
            f"{first}; import mien; from mien.detect import Detector; "
            "print(callable(mien.detect), mien.detect.Detector is Detector)"
        )
        assert python(code) == "True True"
