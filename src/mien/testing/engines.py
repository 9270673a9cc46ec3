"""An engine for drawn faces: everything but the weights is real."""

from __future__ import annotations

from mien.attributes.face_mesh import MeshReader
from mien.attributes.quality import ImageQuality
from mien.config import Settings, load
from mien.engine import Engine
from mien.liveness import PassiveLiveness
from mien.match.calibration import Calibration
from mien.models.card import CalibrationFacts, FmrPoint, Tail
from mien.testing.faces import MockDetector, MockEmbedder

__all__ = ["mock_calibration", "mock_engine"]


def mock_calibration() -> Calibration:
    """A calibration for drawn faces: confidence 0.5 at similarity 0.6."""
    points = tuple(
        FmrPoint(fmr, logit, similarity, 0.0)
        for fmr, logit, similarity in [(1e-1, -8.0, 0.2), (1e-2, -4.0, 0.4), (1e-3, 0.0, 0.6)]
    )
    return Calibration(
        CalibrationFacts(
            weights=(20.0, 0.0, 0.0, -12.0),
            plain=(20.0, -12.0),
            norm_reference=10.0,
            norm_clip=(-0.4, 0.2),
            default_fmr=1e-3,
            points=points,
            tail=Tail(start=0.0, rate=1e-3, shape=0.0, scale=1.0),
            plain_tail=Tail(start=0.6, rate=1e-3, shape=0.0, scale=0.05),
            impostor_pairs=3000,
            genuine_pairs=300,
            fmr_floor=1e-3,
            data="drawn faces",
        )
    )


def mock_engine(
    settings: Settings | None = None,
    *,
    liveness: PassiveLiveness | None = None,
    mesh: MeshReader | None = None,
) -> Engine:
    """An engine that finds and recognises drawn faces, without weights or network.

    Of the attributes, ``quality`` (without the components that need landmarks), ``blur``,
    ``exposure`` and ``noise`` can be asked for.

    Args:
        settings: None: ``MIEN_*`` variables and ``mien.toml``.
        liveness: the liveness check; None: the registered nets, which need their weights.
        mesh: finds meshes, such as :class:`mien.testing.DrawnMesh`; None: MediaPipe's nets.
    """
    return Engine(
        detector=MockDetector(),
        embedder=MockEmbedder(),
        settings=settings or load(),
        calibration=mock_calibration(),
        attributes=[ImageQuality()],
        liveness=liveness,
        mesh=mesh,
    )
