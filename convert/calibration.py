"""Pictures from which the int8 ranges are measured, and on which float and int8 are compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from edge.modelfile import InputSpec
from edge.vision.crop import Image, crop_face
from edge.vision.interpreter import to_float
from train.data.pictures import LoadedFaces
from train.data.records import FaceRecord

T = TypeVar("T")


def spread(items: Sequence[T], count: int, kind: Callable[[T], Hashable], seed: int) -> list[T]:
    """Return up to *count* of *items*, drawn in turn from every *kind*, the same for one *seed*.

    Rare kinds (an incorrectly worn mask, a small source) are thus as well represented as
    common ones; their activations are what int8 would otherwise clip.
    """
    rng = np.random.default_rng(seed)
    kinds: dict[Hashable, list[T]] = defaultdict(list)
    for place in rng.permutation(len(items)):
        kinds[kind(items[place])].append(items[place])
    piles = [kinds[key] for key in sorted(kinds, key=str)]
    chosen: list[T] = []
    while len(chosen) < min(count, len(items)):
        for pile in piles:
            if pile and len(chosen) < count:
                chosen.append(pile.pop())
    return chosen


def face_crops(
    faces: LoadedFaces, records: Sequence[FaceRecord], margin: float, size: int
) -> list[Image]:
    """Return the faces in *records*, each (size, size, 3) uint8 BGR, cut as on the device."""
    return [
        crop_face(faces.picture(record), record.box, margin=margin, size=size)
        for record in records
    ]


def calibration_inputs(
    pictures: Sequence[Image], spec: InputSpec
) -> list[npt.NDArray[np.float32]]:
    """Return *pictures* as the float network is fed, with a black and a white one added.

    Those two make the input's range exactly that of a pixel, so that the device's lookup
    table maps every pixel value to an integer of its own.
    """
    shape = (spec.height, spec.width, 3)
    extremes = [np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)]
    return [to_float(picture, spec) for picture in (*pictures, *extremes)]
