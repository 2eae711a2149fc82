"""The day drawn into a file, .svg or .png, with nothing but what a device has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from edge.errors import OutputError, UsageError
from edge.files import replaced
from edge.journal.day import Day
from edge.journal.day_plot import NAMES, totals_text

# R, G, B of the Okabe-Ito palette, made to be told apart by colour-blind people, as on the
# annotated picture: https://jfly.uni-koeln.de/color/
_COLOURS = {
    "mask": (0, 114, 178), "unsure": (190, 190, 190), "incorrect": (240, 228, 66),
    "no_mask": (213, 94, 0), "alarm": (213, 94, 0), "camera": (90, 90, 90),
    "output": (90, 90, 90),
}
_INK = (32, 32, 32)
_FAINT = (225, 225, 225)
_WIDTH, _HEIGHT = 960, 480
_LEFT, _RIGHT, _TOP, _FLOOR = 110, 24, 74, 330
_BAND_TOP, _BAND_STEP, _BAND_HEIGHT = 372, 26, 14


@dataclass(frozen=True, slots=True)
class Block:
    """A filled rectangle in pixels from the top left."""

    x: float
    y: float
    width: float
    height: float
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text whose baseline begins, or ends if *right*, or has its *middle*, at x, y."""

    x: float
    y: float
    text: str
    size: int = 13
    anchor: str = "start"


def check_picture(path: str) -> None:
    """Raise UsageError unless *path* ends in .svg or .png."""
    if Path(path).suffix.lower() not in (".svg", ".png"):
        raise UsageError(f"--plot is {path!r}; allowed: a name that ends in .svg or .png, or none")


def write_picture(day: Day, path: str) -> None:
    """Draw *day* into the file *path*, .svg or .png, whole or not at all.

    Raises UsageError for another ending, OutputError when it cannot be written.
    """
    check_picture(path)
    shapes = list(_shapes(day))
    content = _svg(shapes) if Path(path).suffix.lower() == ".svg" else _png(shapes)
    try:
        with replaced(Path(path)) as file:
            file.write(content)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; name a file in a folder that "
            "exists and is writable"
        ) from None


def _shapes(day: Day) -> Iterator[Block | Words]:
    first, second = totals_text(day).splitlines()
    yield Words(_LEFT, 28, first, 16)
    yield Words(_LEFT, 50, second)
    slot = (_WIDTH - _LEFT - _RIGHT) / len(day.hours)
    most = max(1, *(sum(hour) for hour in zip(*day.people.values(), strict=True)))
    unit = (_FLOOR - _TOP) / most
    for level in range(0, most + 1, max(1, -(-most // 5))):
        y = _FLOOR - level * unit
        yield Block(_LEFT, y, _WIDTH - _LEFT - _RIGHT, 1, _FAINT)
        yield Words(_LEFT - 8, y + 4, str(level), 12, "end")
    for place, name in enumerate(day.hours):
        yield Words(_LEFT + (place + 0.5) * slot, _FLOOR + 18, name, 12, "middle")
        top: float = _FLOOR
        for verdict in ("mask", "unsure", "incorrect", "no_mask"):
            height = day.people[verdict][place] * unit
            top -= height
            if height:
                yield Block(
                    _LEFT + (place + 0.1) * slot, top, 0.8 * slot, height, _COLOURS[verdict]
                )
    whole = (day.end - day.start).total_seconds()
    scale = (_WIDTH - _LEFT - _RIGHT) / whole
    for row, (what, spans) in enumerate(day.spans.items()):
        y = _BAND_TOP + row * _BAND_STEP
        yield Words(_LEFT - 8, y + 12, NAMES[what], 12, "end")
        yield Block(_LEFT, y, _WIDTH - _LEFT - _RIGHT, _BAND_HEIGHT, _FAINT)
        for start, end in spans:
            x = _LEFT + (start - day.start).total_seconds() * scale
            # A beep of seconds would be thinner than a line; what was must be seen.
            width = max(1.5, (end - start).total_seconds() * scale)
            yield Block(x, y, width, _BAND_HEIGHT, _COLOURS[what])
    for place, verdict in enumerate(("mask", "unsure", "incorrect", "no_mask")):
        x = _LEFT + place * 130
        yield Block(x, _HEIGHT - 20, 12, 12, _COLOURS[verdict])
        yield Words(x + 18, _HEIGHT - 10, NAMES[verdict], 12)


def _svg(shapes: list[Block | Words]) -> bytes:
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
    ]
    for shape in shapes:
        if isinstance(shape, Block):
            red, green, blue = shape.colour
            lines.append(
                f'<rect x="{shape.x:.1f}" y="{shape.y:.1f}" width="{shape.width:.1f}" '
                f'height="{shape.height:.1f}" fill="rgb({red},{green},{blue})"/>'
            )
        else:
            lines.append(
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{shape.size}" '
                f'text-anchor="{shape.anchor}">{escape(shape.text)}</text>'
            )
    return "\n".join([*lines, "</svg>", ""]).encode()


def _png(shapes: list[Block | Words]) -> bytes:
    import cv2

    image = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    for shape in shapes:
        if isinstance(shape, Block):
            corner = round(shape.x), round(shape.y)
            far = round(shape.x + shape.width) - 1, round(shape.y + shape.height) - 1
            cv2.rectangle(image, corner, (max(far[0], corner[0]), max(far[1], corner[1])),
                          shape.colour[::-1], cv2.FILLED)
        else:
            scale = shape.size / 30
            font = cv2.FONT_HERSHEY_SIMPLEX
            (wide, _), _ = cv2.getTextSize(shape.text, font, scale, 1)
            shift = {"start": 0.0, "middle": wide / 2, "end": float(wide)}[shape.anchor]
            cv2.putText(image, shape.text, (round(shape.x - shift), round(shape.y)), font,
                        scale, _INK, 1, cv2.LINE_AA)
    done, encoded = cv2.imencode(".png", image)
    if not done:
        raise OutputError("this OpenCV cannot write PNG; name a file that ends in .svg")
    return encoded.tobytes()
