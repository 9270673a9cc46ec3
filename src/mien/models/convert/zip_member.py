"""The one file that is meant in a published zip file."""

from __future__ import annotations

import io
import zipfile

from mien.errors import ConversionError

__all__ = ["MAX_BYTES", "only_member"]

MAX_BYTES = 2_000_000_000
"""Largest member that is unpacked; ONNX files cannot be larger."""


def only_member(source: bytes, ending: str) -> bytes:
    """The only member whose name ends with ``ending``.

    Raises:
        ConversionError: not a whole zip file, none or several such members, or one above
            ``MAX_BYTES``.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(source)) as box:
            found = [
                one
                for one in box.infolist()
                if one.filename.endswith(ending) and not one.filename.startswith("__MACOSX/")
            ]
            if len(found) != 1:
                raise ConversionError(f"The zip file has {len(found)} files {ending}, not one.")
            if found[0].file_size > MAX_BYTES:
                raise ConversionError(f"The {ending} file in the zip file is too large.")
            with box.open(found[0]) as member:
                data = member.read(MAX_BYTES + 1)  # what it says of its size may be untrue
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ConversionError(
            f"The weight file is not a whole zip file ({type(error).__name__})."
        ) from error
    if len(data) > MAX_BYTES:
        raise ConversionError(f"The {ending} file in the zip file is too large.")
    return data
