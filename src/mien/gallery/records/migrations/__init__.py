"""Numbered migrations of the gallery's tables."""
