"""Where the sample photos come from (see :mod:`mien.models.samples`)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mien.models.card import ArchiveSource

__all__ = ["PARTIAL", "SAMPLES"]


def _portrait(name: str, sha256: str, size: int) -> ArchiveSource:
    return ArchiveSource(
        ecosystem="pypi",
        package="face_recognition",
        version="1.3.0",
        archive_sha256="5e5efdd1686aa566af0d3cc1313b131e4b197657a8ffd03669e6d3fad92705ec",
        member=f"face_recognition-1.3.0/tests/test_images/{name}",
        member_sha256=sha256,
        member_bytes=size,
        binary=False,
    )


SAMPLES: Mapping[str, tuple[ArchiveSource, ...]] = MappingProxyType(
    {
        "Barack Obama": (
            _portrait(
                "obama.jpg",
                "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
                279922,
            ),
            _portrait(
                "obama2.jpg",
                "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
                184455,
            ),
            _portrait(
                "obama3.jpg",
                "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
                595944,
            ),
        ),
        "Joe Biden": (
            _portrait(
                "biden.jpg",
                "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
                353723,
            ),
        ),
        "Eileen Collins": (
            ArchiveSource(
                ecosystem="pypi",
                package="scikit-image",
                version="0.26.0",
                archive_sha256="74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
                member="skimage/data/astronaut.png",
                member_sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
                member_bytes=791555,
                wheel=("cp311", "cp311", "manylinux_2_24_x86_64.manylinux_2_28_x86_64"),
            ),
        ),
    }
)
"""Whole faces, one a photo, by person."""

PARTIAL: Mapping[str, tuple[ArchiveSource, ...]] = MappingProxyType(
    {
        "Barack Obama": (
            _portrait(
                "obama_partial_face.jpg",
                "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117",
                423060,
            ),
            _portrait(
                "obama_partial_face2.jpg",
                "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028",
                478346,
            ),
        ),
    }
)
"""The same photos cut so that a part of the face is missing, by person."""
