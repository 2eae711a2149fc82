"""Faces drawn onto the picture that the page shows."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from edge.report.events import sureness
from train.studio.colours import DARK, VERDICT_COLOURS, VERDICT_WORDS, ink
from train.studio.messages import Pixels
from train.studio.trying import JudgedFace

_DARK, _LIGHT = 90, 200
"""Levels of 255: below which a face is hard to see on a screen, and to which it is raised."""


def picture(pixels: Pixels) -> Image.Image:
    """Return *pixels* as a picture of Pillow."""
    return Image.frombytes("RGB", (pixels.width, pixels.height), pixels.rgb)


def lightened(image: Image.Image) -> Image.Image:
    """Return *image*, RGB, so light that a face in it can be judged by eye; a light one as it is.

    What counts is its lightest twentieth: a black mask alone makes no picture dark.
    """
    levels = image.convert("L").histogram()
    left, bright = 0.05 * sum(levels), 255
    while bright > 0 and left > levels[bright]:
        left -= levels[bright]
        bright -= 1
    if bright >= _DARK:
        return image
    gain = _LIGHT / max(bright, 4)
    return image.point([min(255, round(gain * level)) for level in range(256)] * 3)


def draw_faces(pixels: Pixels, faces: Sequence[JudgedFace]) -> Image.Image:
    """Return *pixels* with a box and a label for each of *faces*.

    Lines and letters grow with the picture; a label stands above its face where there is room,
    and never over the mouth.  Those to act on come last, so that nobody's label hides theirs.
    """
    image = picture(pixels)
    # Drawn twice as large and shrunk, because Pillow has no smooth lines of its own.
    big = image.resize((2 * image.width, 2 * image.height), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(big)
    unit = max(1.0, max(image.size) / 640)
    font = ImageFont.load_default(round(2 * 15 * unit))
    for face in sorted(faces, key=lambda f: f.verdict in ("no_mask", "incorrect")):
        _draw_face(pen, face, font, unit, big.size)
    return big.resize(image.size, Image.Resampling.BOX)


def _draw_face(
    pen: ImageDraw.ImageDraw,
    face: JudgedFace,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    unit: float,
    size: tuple[int, int],
) -> None:
    x0, y0, x1, y1 = (round(2 * value) for value in face.seen.box)
    colour = VERDICT_COLOURS[face.verdict]
    line, corner = max(2, round(5 * unit)), round(12 * unit)
    pen.rounded_rectangle((x0, y0, x1, y1), corner, outline=DARK, width=line + 4)
    pen.rounded_rectangle((x0 + 2, y0 + 2, x1 - 2, y1 - 2), corner, outline=colour, width=line)
    text = f"{face.number}  {VERDICT_WORDS[face.verdict]} {sureness(face.confidence)}"
    pad = round(9 * unit)
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    wide, tall = right - left + 2 * pad, bottom - top + 2 * pad
    at_x = min(max(x0, 0), max(0, size[0] - round(wide)))
    at_y = y0 - tall - line
    if at_y < 0:
        at_y = min(y1 + line, size[1] - tall)
    pen.rounded_rectangle((at_x, at_y, at_x + wide, at_y + tall), corner // 2, fill=colour)
    pen.text((at_x + pad - left, at_y + pad - top), text, font=font, fill=ink(colour))
