"""MockLivenessNet: says what it is told to, so that everything around the nets can be tested."""

from __future__ import annotations

import threading
from collections.abc import Callable

from mien.types import RGB, Box

__all__ = ["MockLivenessNet"]

Answer = Callable[[RGB, Box], float]


class MockLivenessNet:
    """A :class:`mien.liveness.LivenessNet` that answers what it is told to.

    Args:
        score: the answer to every face, 0..1, or a function of the photo and the face's box.
        name: what it calls itself.
        factor: how many times the face's size it says that it wants to see.

    Attributes:
        calls: how many faces it was asked about.

    Example:
        >>> import numpy as np
        >>> MockLivenessNet(0.25).live_score(np.zeros((9, 9, 3), np.uint8), Box(1, 1, 5, 5))
        0.25
    """

    def __init__(
        self, score: float | Answer = 1.0, *, name: str = "mock", factor: float = 4.0
    ) -> None:
        self.name = name
        self.factor = factor
        self.calls = 0
        self._score = score
        self._lock = threading.Lock()

    def live_score(self, image: RGB, box: Box) -> float:
        """The answer."""
        with self._lock:
            self.calls += 1
        return self._score(image, box) if callable(self._score) else self._score
