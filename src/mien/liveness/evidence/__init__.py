"""Evidence beside the nets: what betrays a screen or a sheet of paper, each measured by itself."""

from mien.liveness.evidence.edges import frame_edges
from mien.liveness.evidence.moire import moire_peak

__all__ = ["frame_edges", "moire_peak"]
