"""CompreFace: subjects, recognition, detection, verification. See docs/reference/compreface.md."""

from mien.service.dialects.compreface.failures import failed
from mien.service.dialects.compreface.routes import PREFIX, router

__all__ = ["PREFIX", "failed", "router"]
