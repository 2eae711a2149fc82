"""How large a face must be, as a person writes it: in pixels, or as a share of the picture."""

from __future__ import annotations

from edge.errors import UsageError
from edge.gate.decision import DecisionSettings


def face_size(text: str, name: str = "the smallest face") -> tuple[float, float]:
    """Return the smallest face as (pixels, share of the picture) of ``40`` or of ``8%``.

    What *text* does not name is 20 pixels, no share.  Raises UsageError for anything else;
    *name* is what its message calls the size.
    """
    number, percent, rest = text.strip().partition("%")
    low, high = (1, 90) if percent else (8, 2000)
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if rest or not low <= value <= high:
        raise UsageError(
            f"{name} is {text!r}; allowed: 8 to 2000 pixels, such as 40, or 1% to 90% of the "
            "picture's longer side, such as 8%"
        )
    return (DecisionSettings().min_face_pixels, value / 100) if percent else (value, 0.0)
