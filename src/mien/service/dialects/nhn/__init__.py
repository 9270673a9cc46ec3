"""NHN Cloud Face Recognition 1.0 and 2.0, and Face Liveness. See docs/reference/nhn.md."""

from mien.service.dialects.nhn.routes import PREFIX, router

__all__ = ["PREFIX", "router"]
