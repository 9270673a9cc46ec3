"""NHN Cloud Face Recognition 1.0 to 2.1, and Face Liveness. See docs/reference/nhn.md."""

from mien.service.dialects.nhn.envelope import failed
from mien.service.dialects.nhn.routes import PREFIX, router

__all__ = ["PREFIX", "failed", "router"]
