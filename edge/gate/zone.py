"""Where in the picture people count: a polygon in shares of the picture."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import UsageError

_LEAST_AREA = 0.001
_MOST_CORNERS = 32
_HOW = (
    "give left,top,right,bottom or three or more corners x,y in order around it, in shares of "
    "the picture from 0 to 1, such as 0.2,0,0.8,1 or '0.1,1 0.3,0.2 0.7,0.2 0.9,1'"
)


@dataclass(frozen=True, slots=True)
class Zone:
    """A polygon with *corners* (x, y), each 0 to 1, from the picture's top left.

    Raises UsageError for fewer than 3 corners or more than 32, one outside the picture, or a
    polygon of no area.
    """

    corners: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not 3 <= len(self.corners) <= _MOST_CORNERS:
            raise UsageError(
                f"the zone has {len(self.corners)} corners; allowed: 3 to {_MOST_CORNERS}"
            )
        for x, y in self.corners:
            if not (0 <= x <= 1 and 0 <= y <= 1):
                raise UsageError(f"the zone's corner {x:g},{y:g} is outside the picture; {_HOW}")
        if self.area < _LEAST_AREA:
            raise UsageError(f"the zone has no area; {_HOW}")

    @property
    def area(self) -> float:
        """The share of the picture that the polygon covers, 0 to 1."""
        after = (*self.corners[1:], self.corners[0])
        pairs = zip(self.corners, after, strict=True)
        return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2

    def holds(self, x: float, y: float) -> bool:
        """Return whether the point *x*, *y*, in shares of the picture, is inside.

        A point beyond the picture's edge counts as just inside the edge: a face that the edge
        cuts is still there.
        """
        x, y = (min(max(v, 1e-6), 1 - 1e-6) for v in (x, y))
        inside = False
        after = (*self.corners[1:], self.corners[0])
        # Even-odd rule: a ray to the right crosses the outline an odd number of times.
        for (x0, y0), (x1, y1) in zip(self.corners, after, strict=True):
            if (y0 > y) != (y1 > y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
                inside = not inside
        return inside


def parse_zone(text: str) -> Zone:
    """Return the zone that *text* names: ``left,top,right,bottom`` or ``x,y x,y x,y``.

    Raises UsageError for anything else.
    """
    try:
        points = [tuple(float(v) for v in word.split(",")) for word in text.split()]
    except ValueError:
        points = []
    if len(points) == 1 and len(points[0]) == 4:
        left, top, right, bottom = points[0]
        if not (left < right and top < bottom):
            raise UsageError(f"the zone {text!r} has no area; {_HOW}")
        return Zone(((left, top), (right, top), (right, bottom), (left, bottom)))
    if len(points) < 3 or any(len(point) != 2 for point in points):
        raise UsageError(f"the zone {text!r} cannot be read; {_HOW}")
    return Zone(tuple((point[0], point[1]) for point in points))
