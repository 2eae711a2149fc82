"""Pictures turned about a point, and what becomes of the boxes and landmarks in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tilt:
    """A turn by *angle* degrees, clockwise as a picture is seen, about *centre* (x, y), pixels."""

    angle: float
    centre: tuple[float, float]

    def matrix(self, scale: float, shift: Floats) -> Floats:
        """Return what first enlarges by *scale* and moves by *shift* (2,), then turns: (2, 3)."""
        turn, middle = self._turn, np.array(self.centre, np.float32)
        moved = turn @ (np.asarray(shift, np.float32) - middle) + middle
        return np.concatenate([turn * np.float32(scale), moved[:, None]], axis=1)

    def points(self, points: Floats) -> Floats:
        """Return *points* (..., 2), turned."""
        middle = np.array(self.centre, np.float32)
        return np.asarray((points - middle) @ self._turn.T + middle, np.float32)

    def faces(self, boxes: Floats) -> Floats:
        """Return the boxes (N, 4) of faces, turned.

        A face fills its box as an ellipse does, so the upright box about the turned ellipse is
        what somebody would draw about the turned face; the box's own corners reach too far.
        """
        cosine, sine = abs(self._turn[0, 0]), abs(self._turn[0, 1])
        sides = boxes[:, 2:] - boxes[:, :2]
        return self._about(boxes, np.hypot(sides * cosine, sides[:, ::-1] * sine))

    def regions(self, boxes: Floats) -> Floats:
        """Return the upright boxes (N, 4) about the turned rectangles *boxes* (N, 4)."""
        cosine, sine = abs(self._turn[0, 0]), abs(self._turn[0, 1])
        sides = boxes[:, 2:] - boxes[:, :2]
        return self._about(boxes, sides * cosine + sides[:, ::-1] * sine)

    @property
    def _turn(self) -> Floats:
        radians = math.radians(self.angle)
        cosine, sine = math.cos(radians), math.sin(radians)
        return np.array([[cosine, -sine], [sine, cosine]], np.float32)

    def _about(self, boxes: Floats, sides: Floats) -> Floats:
        if self.angle == 0:
            return boxes
        middles = self.points((boxes[:, :2] + boxes[:, 2:]) / 2)
        return np.concatenate([middles - sides / 2, middles + sides / 2], axis=1)
