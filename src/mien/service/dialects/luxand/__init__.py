"""Luxand.cloud: persons, collections, and what a photo shows. See docs/reference/luxand.md."""

from mien.service.dialects.luxand.routes import PREFIX, failed, router

__all__ = ["PREFIX", "failed", "router"]
