"""Converters: from a published weight file to the bytes of an ONNX file.

A card names its converter. A converter is a pure function of the published bytes: no clock, no
path, no chance. So the result is cached by the hash of the source and the converter's version,
and no embedding contract depends on it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from mien.errors import ConversionError
from mien.spelling import no_such

__all__ = ["CONVERTERS", "Converter", "converter"]


@dataclass(frozen=True, slots=True)
class Converter:
    """Where a converter lives; it is imported when it is used.

    Attributes:
        version: part of the name of the cached file; raised when the output changes.
        module, function: ``function(source: bytes, *companions: bytes) -> bytes`` in ``module``.
    """

    version: int
    module: str
    function: str

    def __call__(self, source: bytes, *companions: bytes) -> bytes:
        """The ONNX file made from a published weight file and the card's companions of it.

        Raises:
            ConversionError: not a file that this converter understands.
        """
        convert: Callable[..., bytes] = getattr(importlib.import_module(self.module), self.function)
        return convert(source, *companions)


_ARCHITECTURES = "mien.models.convert.architectures"

CONVERTERS = {
    "dlib-detector": Converter(1, "mien.models.convert.dlib", "convert_detector"),
    "dlib-recogniser": Converter(1, "mien.models.convert.dlib", "convert_recogniser"),
    "blockquant": Converter(1, "mien.models.convert.blockquant", "convert"),
    "blockquant-convolutional": Converter(
        1, "mien.models.convert.blockquant", "convert_convolutional"
    ),
    "tfjs": Converter(1, "mien.models.convert.tfjs", "convert"),
    "torch-mtcnn": Converter(1, "mien.models.convert.mtcnn", "convert"),
    "tflite": Converter(1, "mien.models.convert.tflite", "convert"),
    "tflite-convolutional": Converter(1, "mien.models.convert.tflite", "convert_convolutional"),
    "tflite-task-blendshapes": Converter(
        1, "mien.models.convert.tflite", "convert_task_blendshapes"
    ),
    "tflite-task-landmarks": Converter(1, "mien.models.convert.tflite", "convert_task_landmarks"),
    "caffe": Converter(1, "mien.models.convert.caffe", "convert"),
    "face-api-expression": Converter(1, "mien.models.convert.faceapi", "convert_expression"),
    "flushed": Converter(1, "mien.models.convert.flushed", "convert"),
    "face-api-landmarks": Converter(1, "mien.models.convert.faceapi", "convert_landmarks"),
    "keras": Converter(2, "mien.models.convert.keras", "convert"),
    "detector": Converter(1, "mien.models.convert.detector", "convert"),
    "detector-any-size": Converter(1, "mien.models.convert.detector", "convert_any_size"),
    "keras-retinaface": Converter(1, "mien.models.convert.retinaface", "convert"),
    "convolutional": Converter(1, "mien.models.convert.convolutional", "convert"),
    "minifasnet": Converter(1, "mien.models.convert.minifasnet", "convert"),
    "python-literal": Converter(1, "mien.models.convert.literal", "convert"),
    "recogniser": Converter(1, "mien.models.convert.recogniser", "convert"),
    "weights-arcface-r34": Converter(1, f"{_ARCHITECTURES}.arcface_r34", "convert"),
    "weights-deepid": Converter(1, f"{_ARCHITECTURES}.deepid", "convert"),
    "weights-fb-deepface": Converter(1, f"{_ARCHITECTURES}.fb_deepface", "convert"),
    "weights-facenet-128": Converter(1, f"{_ARCHITECTURES}.facenet", "convert_128"),
    "weights-facenet-512": Converter(1, f"{_ARCHITECTURES}.facenet", "convert_512"),
    "weights-ghostfacenet": Converter(1, f"{_ARCHITECTURES}.ghostfacenet", "convert"),
    "weights-openface": Converter(1, f"{_ARCHITECTURES}.openface", "convert"),
    "weights-vgg-face": Converter(1, f"{_ARCHITECTURES}.vgg_face", "convert"),
}


def converter(name: str) -> Converter:
    """The converter that a card names.

    Raises:
        ConversionError: there is none of that name.
    """
    try:
        return CONVERTERS[name]
    except KeyError:
        raise ConversionError(no_such("converter", name, sorted(CONVERTERS))) from None
