"""Which file is which network: by name, as they lie in ``../shared/peers``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from edge.errors import ModelError
from train.evaluate.peers.aizoo import aizoo
from train.evaluate.peers.blazeface import FULL, SHORT, blazeface
from train.evaluate.peers.contestant import Contestant
from train.evaluate.peers.runtime import open_tflite
from train.evaluate.peers.ultraface import ultraface, ultraface_masked
from train.evaluate.peers.yunet import yunet

Load = Callable[[Path, int], Contestant]

KNOWN: Mapping[str, tuple[Load, ...]] = {
    "aizoo_ssd_260.tflite": (aizoo,),
    "ultraface_rfb_320.tflite": (ultraface,),
    "ultraface_rfb_640_masked.onnx": (ultraface_masked,),
    "yunet_2026may.onnx": (partial(yunet, longer_side=320), partial(yunet, longer_side=640)),
    "blazeface_short_range.tflite": (partial(blazeface, kind=SHORT),),
    "blazeface_full_range.tflite": (partial(blazeface, kind=FULL),),
}
"""What makes, of a file and a number of threads, the contestants that are in it."""


def contestants(path: Path, threads: int) -> list[Contestant]:
    """Return the contestants in *path*, on *threads* CPU threads; see :data:`KNOWN`.

    A ``.tflite`` of another name can only be timed.  Raises ModelError when the file is
    missing, is not the network its name says, or is of neither kind.
    """
    if path.name in KNOWN:
        return [load(path, threads) for load in KNOWN[path.name]]
    if path.suffix != ".tflite":
        raise ModelError(
            f"{path}: is unknown; give a .tflite, which is timed, or one of {', '.join(KNOWN)}"
        )
    run, example = open_tflite(path, threads)
    return [Contestant(path.name, run, example)]
