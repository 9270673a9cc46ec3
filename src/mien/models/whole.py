"""Is an ONNX file whole? Asked before a runtime is: given a torn file, some print what they try."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["is_whole"]

_LONGEST_VARINT = 10


def is_whole(path: Path) -> bool:
    """Whether the file is protocol-buffer fields from its first byte to its last.

    Only the fields' headers are read: a file that was cut short or filled up is recognised, one
    whose weights were changed is not (that is what hashes are for).
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            while (at := file.tell()) < size:
                if not _skip_field(file):
                    return False
            return 0 < size == at
    except OSError:
        return False


def _skip_field(file: BinaryIO) -> bool:
    key = _varint(file)
    if key is None or not key >> 3:  # there is no field 0
        return False
    match key & 7:
        case 0:
            return _varint(file) is not None
        case 1:
            file.seek(8, os.SEEK_CUR)
        case 2:
            length = _varint(file)
            if length is None or length >= 1 << 62:
                return False
            file.seek(length, os.SEEK_CUR)
        case 5:
            file.seek(4, os.SEEK_CUR)
        case _:
            return False
    return True


def _varint(file: BinaryIO) -> int | None:
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:
            return value
    return None
