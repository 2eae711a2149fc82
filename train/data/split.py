"""A split by group: near-duplicates stay on one side, or the validation would be a lie."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.vision.crop import Image
from train.data.records import FaceRecord, with_groups

HASH_SIDE = 16
# Of 256 bits.  Re-encoded and resized copies differ in under 20; two portraits of different
# people in the same pose start around 60.
NEAR_DUPLICATE_BITS = 24
CHUNK = 512

Bits = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Split:
    """The two sides of a split; no group is on both."""

    train: list[FaceRecord]
    validation: list[FaceRecord]


def difference_hash(image: Image) -> Bits:
    """Return the 256-bit difference hash of *image* (H, W, 3) as 32 uint8.

    The picture is shrunk to 17 x 16 grey pixels; a bit says whether a pixel is brighter
    than its right neighbour.  Size, JPEG and brightness hardly change it.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, (HASH_SIDE + 1, HASH_SIDE), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, :-1] > small[:, 1:])


def near_duplicate_groups(hashes: Bits, threshold: int = NEAR_DUPLICATE_BITS) -> list[int]:
    """Return for each of *hashes* (N, 32) the index of the first one in its group.

    Two hashes that differ in at most *threshold* bits are in one group, and so is whatever
    they reach through others (union-find).  A larger threshold makes fewer, larger groups.
    """
    parents = list(range(len(hashes)))

    def root(i: int) -> int:
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    # As +-1 vectors, 256 minus twice the bits that differ is a matrix product.
    signs = np.unpackbits(hashes.reshape(len(hashes), -1), axis=1).astype(np.float32) * 2 - 1
    least = signs.shape[1] - 2 * threshold if len(hashes) else 0
    for start in range(0, len(signs), CHUNK):
        alike = signs[start : start + CHUNK] @ signs.T >= least
        for row, other in zip(*np.nonzero(alike), strict=True):
            a, b = root(start + int(row)), root(int(other))
            parents[max(a, b)] = min(a, b)
    return [root(i) for i in range(len(parents))]


def ensure_groups(
    records: Sequence[FaceRecord], pictures: dict[Path, Image]
) -> list[FaceRecord]:
    """Return *records*, those without a group put into one by the look of their *pictures*.

    Records that name their group keep it.
    """
    paths = list(dict.fromkeys(r.picture for r in records if not r.group))
    if not paths:
        return list(records)
    hashes = np.stack([difference_hash(pictures[path]) for path in paths])
    first = near_duplicate_groups(hashes)
    names = {path: hashes[first[i]].tobytes().hex()[:16] for i, path in enumerate(paths)}
    return with_groups(records, [r.group or names[r.picture] for r in records])


def split_by_group(records: Sequence[FaceRecord], validation_share: float, seed: int) -> Split:
    """Return *records* in two parts, about *validation_share* (0 to 1) of the groups apart.

    Deterministic: a group goes where the hash of its name and *seed* sends it, so adding
    pictures later never moves an old one to the other side.
    """
    train: list[FaceRecord] = []
    validation: list[FaceRecord] = []
    for record in records:
        digest = hashlib.sha256(f"{seed}/{record.group}".encode()).digest()
        position = int.from_bytes(digest[:8], "big") / 2**64
        (validation if position < validation_share else train).append(record)
    return Split(train, validation)
