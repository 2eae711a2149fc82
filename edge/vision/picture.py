"""Reading one picture file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.errors import SourceError
from edge.vision.crop import Image

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def read_picture(path: str | Path) -> Image:
    """Return the picture at *path*, shape (H, W, 3) uint8 in BGR order, turned upright by EXIF.

    Raises SourceError when the file is missing, empty, of no kind that OpenCV reads, or cut
    off.  A decoder fills the missing half of a cut JPEG with grey and calls it read; a face
    whose lower half is grey looks masked, so a cut file counts as unreadable here.
    """
    try:
        # Reading a pipe would wait for a writer that may never come.
        special = Path(path).exists() and not Path(path).is_file()
        data = b"" if special else Path(path).read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or error})") from None
    if special:
        raise SourceError(f"{path}: is no ordinary file; name a picture")
    if not data:
        raise SourceError(f"{path}: is empty; copy the picture again")
    if is_cut_off(data):
        raise SourceError(f"{path}: is cut off before its end; copy the picture again")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        kinds = ", ".join(sorted(suffix[1:] for suffix in PICTURE_SUFFIXES))
        raise SourceError(f"{path}: is no picture that OpenCV can read; allowed: {kinds}")
    return np.ascontiguousarray(image, np.uint8)


def is_cut_off(data: bytes) -> bool:
    """Return whether *data*, the bytes of a JPEG or PNG file, stop before the picture's end.

    False for every other kind of file, where only the decoder can tell.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND" not in data[-4096:]
    if not data.startswith(b"\xff\xd8"):
        return False
    # Marker segments have a length and are skipped, because an EXIF thumbnail holds an end
    # marker of its own.  Inside the coded picture FF D9 cannot occur but as the end marker.
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:
            return data.find(b"\xff\xd9", at) < 0
        if marker == 0xFF:
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return True
