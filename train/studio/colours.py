"""Words and colours of verdicts, the same on every page and as on the device's own pictures."""

from __future__ import annotations

# The Okabe-Ito palette, made to be told apart by colour-blind people:
# https://jfly.uni-koeln.de/color/
BLUE, VERMILION, YELLOW, GREY, DARK = "#0072B2", "#D55E00", "#F0E442", "#8A8F98", "#202020"

VERDICT_COLOURS = {"mask": BLUE, "no_mask": VERMILION, "incorrect": YELLOW, "unsure": GREY}
VERDICT_WORDS = {
    "mask": "mask", "no_mask": "no mask", "incorrect": "worn wrong", "unsure": "unsure",
}
LABEL_WORDS = {
    "with_mask": "mask", "without_mask": "no mask", "incorrect_mask": "worn wrong",
}
STATE_COLOURS = {
    "alarm": VERMILION, "pass": BLUE, "looking": GREY, "idle": GREY, "camera_fault": YELLOW,
    "software_fault": YELLOW, "unhealthy": YELLOW, "shutdown": DARK, "crash": DARK, "offline": DARK,
}


def ink(colour: str) -> str:
    """Return black or white, whichever is read better on *colour*, ``#rrggbb``."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "#FFFFFF"
