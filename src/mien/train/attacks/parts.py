"""Parts of the simulation that can be left out, to see what each is good for."""

from __future__ import annotations

from dataclasses import dataclass, fields

from mien.errors import InvalidArgument
from mien.spelling import no_such

__all__ = ["ALL_PARTS", "Parts"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What is drawn.

    Attributes:
        grid: the pixels of a screen, which alias with those of the camera (moiré).
        glare: reflections of light on glass and glossy paper.
        gamma: a screen's tone curve and colour.
        halftone: dots of a print.
        tone: a print's paper: less contrast, fewer colours.
        bezel: the edge of a device, margins of a print.
        hand: fingers that hold it.
        curvature: paper that is bent.
        scene: what stands behind is a photo, not only a wall.
        camera: exposure, white balance, blur, noise and JPEG.
    """

    grid: bool = True
    glare: bool = True
    gamma: bool = True
    halftone: bool = True
    tone: bool = True
    bezel: bool = True
    hand: bool = True
    curvature: bool = True
    scene: bool = True
    camera: bool = True

    @classmethod
    def without(cls, *names: str) -> Parts:
        """All parts but those named.

        Raises:
            InvalidArgument: there is no such part.

        Example:
            >>> Parts.without("grid").grid
            False
        """
        known = [field.name for field in fields(cls)]
        for name in names:
            if name not in known:
                raise InvalidArgument(no_such("part of the simulation", name, known))
        return cls(**dict.fromkeys(names, False))


ALL_PARTS = Parts()
