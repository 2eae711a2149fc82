"""The annotated picture: a box and a label for each person, and the gate's state on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from edge.report.events import sureness
from edge.vision.crop import Image

Color = tuple[int, int, int]

# B, G, R of the Okabe-Ito palette, made to be told apart by colour-blind people:
# https://jfly.uni-koeln.de/color/  Blue against vermilion; never green against red.
_BLUE: Color = (178, 114, 0)
_VERMILION: Color = (0, 94, 213)
_YELLOW: Color = (66, 228, 240)
_GREY: Color = (190, 190, 190)
_DARK: Color = (32, 32, 32)
_WHITE: Color = (255, 255, 255)

_VERDICTS: dict[str, tuple[str, Color]] = {
    "mask": ("mask", _BLUE),
    "no_mask": ("NO MASK", _VERMILION),
    "incorrect": ("WORN WRONG", _YELLOW),
    "unsure": ("looking", _GREY),
}
_STATES: dict[str, Color] = {
    "alarm": _VERMILION, "pass": _BLUE, "looking": _GREY, "idle": _DARK,
    "camera_fault": _YELLOW, "software_fault": _YELLOW,
}
_LOUD = ("alarm", "camera_fault", "software_fault")
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True)
class PersonView:
    """One tracked person as drawn.

    ``box`` is x0, y0, x1, y1 in pixels; ``verdict`` is "mask", "no_mask", "incorrect" or
    "unsure"; ``confidence`` is 0 to 1; ``evidence`` is -1 (all of it for a mask) to 1 (all of
    it against), 0 while nothing is known.  ``lack`` says in a word why nobody could look yet,
    such as "too small".
    """

    track_id: int
    box: Sequence[float] | npt.NDArray[np.floating]
    verdict: str
    confidence: float
    evidence: float = 0.0
    lack: str = ""


@dataclass(frozen=True, slots=True)
class GateStatus:
    """The banner: ``state`` is "alarm", "pass", "looking", "idle", "camera_fault" or
    "software_fault".

    ``text`` follows the state's word; ``frames_per_second`` None leaves the speed out.
    """

    state: str
    text: str = ""
    frames_per_second: float | None = None


def draw_people(image: Image, people: Sequence[PersonView], status: GateStatus) -> Image:
    """Return a copy of *image* (H, W, 3) uint8 BGR with *people* and *status* drawn on it.

    Lines and letters grow with the picture.  A verdict or state that is not known here is
    drawn in grey under its own name; a box without finite numbers is left out.
    """
    drawn: Image = image.copy()
    unit = max(1.0, min(image.shape[:2]) / 480)
    # Those to act on come last, so that nobody's label hides theirs.
    for person in sorted(people, key=lambda p: (p.verdict in ("no_mask", "incorrect"), p.track_id)):
        if np.isfinite(np.asarray(person.box, np.float64)).all():
            _draw_person(drawn, person, unit)
    _draw_banner(drawn, status, unit)
    return drawn


def _draw_person(image: Image, person: PersonView, unit: float) -> None:
    height, width = image.shape[:2]
    limits = [width - 1, height - 1, width - 1, height - 1]
    corners = np.clip(np.round(np.asarray(person.box, np.float64)), 0, limits).astype(int)
    x0, y0, x1, y1 = (int(v) for v in corners)
    word, color = _VERDICTS.get(person.verdict, (person.verdict, _GREY))
    if person.verdict == "unsure" and person.lack:
        word = person.lack
    act = person.verdict in ("no_mask", "incorrect")
    thickness = max(1, round((3 if act else 1.6) * unit))
    # A dark rim keeps any colour legible on any background.
    cv2.rectangle(image, (x0, y0), (x1, y1), _DARK, thickness + 2)
    cv2.rectangle(image, (x0, y0), (x1, y1), color, thickness)

    label = f"#{person.track_id} {word}"
    if person.verdict != "unsure":
        label += f" {sureness(_finite(person.confidence, 0, 1))}"
    scale = 0.46 * unit
    pad = round(4 * unit)
    bar = max(3, round(5 * unit))
    wide, tall = _text_size(label, scale)
    chip_width, chip_height = wide + 2 * pad, tall + 2 * pad + bar
    left = min(max(x0, 0), max(width - chip_width, 0))
    # Above the face where there is room, else below it: never over the mouth.
    top = y0 - chip_height - thickness
    if top < _banner_height(unit):
        top = min(y1 + thickness, height - chip_height)
    top = max(top, 0)
    _fill(image, left, top, chip_width, chip_height, color)
    _text(image, label, (left + pad, top + pad + tall), scale, _ink(color))
    _evidence_bar(image, left, top + chip_height - bar, chip_width, bar, person.evidence)


def _evidence_bar(
    image: Image, left: int, top: int, wide: int, tall: int, evidence: float
) -> None:
    _fill(image, left, top, wide, tall, _DARK)
    middle = left + wide // 2
    reach = round(_finite(evidence, -1, 1) * (wide // 2))
    color = _VERMILION if reach > 0 else _BLUE
    _fill(image, min(middle, middle + reach), top + 1, abs(reach), tall - 2, color)
    _fill(image, middle, top, 1, tall, _WHITE)


def _draw_banner(image: Image, status: GateStatus, unit: float) -> None:
    height = min(_banner_height(unit), image.shape[0])
    color = _STATES.get(status.state, _GREY)
    strip = image[:height]
    flat = np.empty_like(strip)
    flat[:] = color
    # The alarm is solid; everything else lets the scene through.
    loud = status.state in _LOUD
    share = 0.95 if loud else 0.75
    image[:height] = cv2.addWeighted(flat, share, strip, 1 - share, 0)
    word = status.state.replace("_", " ")
    word = word.upper() if loud else word
    scale = 0.62 * unit
    base = round(height * 0.70)
    pad = round(8 * unit)
    ink = _ink(color)
    _text(image, f"{word}  {status.text}".rstrip(), (pad, base), scale, ink, bold=True)
    if status.frames_per_second is not None and np.isfinite(status.frames_per_second):
        speed = f"{status.frames_per_second:.0f} FPS"
        wide, _ = _text_size(speed, scale * 0.7)
        _text(image, speed, (image.shape[1] - wide - pad, base), scale * 0.7, ink)


def _banner_height(unit: float) -> int:
    return round(28 * unit)


def _ink(color: Color) -> Color:
    # Rec. 601 luma: black letters on bright chips, white on dark ones.
    luma = 0.114 * color[0] + 0.587 * color[1] + 0.299 * color[2]
    return _DARK if luma > 140 else _WHITE


def _text_size(text: str, scale: float) -> tuple[int, int]:
    (wide, tall), _ = cv2.getTextSize(text, _FONT, scale, _weight(scale))
    return int(wide), int(tall)


def _text(
    image: Image, text: str, at: tuple[int, int], scale: float, color: Color, bold: bool = False
) -> None:
    weight = _weight(scale) + int(bold)
    cv2.putText(image, text, at, _FONT, scale, color, weight, cv2.LINE_AA)


def _weight(scale: float) -> int:
    return max(1, round(1.6 * scale))


def _fill(image: Image, left: int, top: int, wide: int, tall: int, color: Color) -> None:
    image[max(top, 0) : max(top + tall, 0), max(left, 0) : max(left + wide, 0)] = color


def _finite(value: float, low: float, high: float) -> float:
    return float(np.clip(value, low, high)) if np.isfinite(value) else 0.0
