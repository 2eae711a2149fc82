"""Trying the networks: what a visitor brought, to verdicts; plain functions under the page."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from edge.errors import SourceError
from edge.gate.decision import VERDICTS
from train.studio.child import Limits, ask
from train.studio.messages import (
    Asked,
    Probabilities,
    SeenClip,
    SeenFace,
    SeenPicture,
    packed,
    unpacked,
    whole,
)

MOST_MEGABYTES = 50
"""The largest upload."""

LONGEST_NAME = 120
PICTURE_LIMITS = Limits(seconds=20, megabytes=1500)
CLIP_LIMITS = Limits(seconds=90, megabytes=2500)
CLIP_SUFFIXES = ("mp4", "mov", "m4v", "webm", "mkv", "avi")
PICTURE_SUFFIXES = ("jpg", "jpeg", "png", "webp", "bmp")
_NEVER_IN_A_NAME = frozenset('/\\<>:"|?*')


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which detector's *score* on a face counts, and from which probability it is *sure*."""

    score: float = 0.5
    sure: float = 0.6


@dataclass(frozen=True, slots=True)
class JudgedFace:
    """Face *number* of a picture, its *verdict* with its *confidence*, and what was *seen*."""

    number: int
    verdict: str
    confidence: float
    seen: SeenFace


def checked_upload(name: str, size: int) -> str:
    """Return whether an upload called *name* of *size* bytes is a "picture" or a "clip".

    The name is never used as a path; one that looks as if it were meant to be is refused all the
    same.  What the bytes really are, the child process finds out.  Raises SourceError in words.
    """
    if not name or len(name) > LONGEST_NAME:
        raise SourceError(
            f"the file's name has {len(name)} letters; rename it to 1 to {LONGEST_NAME}"
        )
    bad = next((c for c in name if _is_hostile(c)), None)
    if bad is not None or name.startswith(".") or ".." in name:
        what = f"{bad!a}" if bad is not None else "dots where no dots belong"
        raise SourceError(f"the file's name holds {what}; rename it with letters and digits")
    if size <= 0:
        raise SourceError("the file is empty; copy it again")
    if size > MOST_MEGABYTES * 2**20:
        raise SourceError(f"the file has {size / 2**20:.0f} MB; at most {MOST_MEGABYTES}")
    suffix = name.rpartition(".")[2].lower()
    if suffix in CLIP_SUFFIXES:
        return "clip"
    if suffix in PICTURE_SUFFIXES:
        return "picture"
    raise SourceError(
        f"files ending in .{suffix[:12]} are not looked at; bring a picture "
        f"({', '.join(PICTURE_SUFFIXES)}) or a clip ({', '.join(CLIP_SUFFIXES)})"
    )


def see_picture(asked: Asked) -> SeenPicture:
    """Return the faces in the picture *asked* for; raises SourceError in words."""
    seen = unpacked(ask("picture", packed(asked), PICTURE_LIMITS), SeenPicture)
    whole(seen.shown)
    for face in seen.faces:
        whole(face.crop)
    return seen


def watch_clip(asked: Asked) -> SeenClip:
    """Return who was seen in the clip *asked* for; raises SourceError in words."""
    seen = unpacked(ask("clip", packed(asked), CLIP_LIMITS), SeenClip)
    for crop in seen.crops.values():
        whole(crop)
    return seen


def judged(seen: SeenPicture, thresholds: Thresholds) -> tuple[JudgedFace, ...]:
    """Return the faces of *seen* that count, from left to right, with their verdicts."""
    counted = sorted(
        (face for face in seen.faces if face.score >= thresholds.score), key=lambda f: f.box[0]
    )
    return tuple(
        JudgedFace(number, *verdict_of(face.probabilities, thresholds.sure), face)
        for number, face in enumerate(counted, start=1)
    )


def verdict_of(probabilities: Probabilities, sure: float) -> tuple[str, float]:
    """Return (verdict, probability) of the likeliest label; "unsure" where it is below *sure*."""
    best = max(range(len(VERDICTS)), key=lambda i: probabilities[i])
    verdict = VERDICTS[best] if probabilities[best] >= sure else "unsure"
    return verdict, probabilities[best]


def summary(faces: tuple[JudgedFace, ...]) -> tuple[str, str]:
    """Return the (verdict, sentence) that stands above a picture with *faces*."""
    if not faces:
        return "unsure", "No face to be seen here"
    wrong = [f for f in faces if f.verdict in ("no_mask", "incorrect")]
    if len(faces) == 1:
        return faces[0].verdict, {
            "mask": "Wears a mask", "no_mask": "No mask", "incorrect": "Mask worn wrong",
            "unsure": "Not sure about this one",
        }[faces[0].verdict]
    if wrong:
        return wrong[0].verdict, f"{len(wrong)} of {len(faces)} without a mask worn right"
    if all(f.verdict == "mask" for f in faces):
        return "mask", f"All {len(faces)} wear a mask"
    unsure = sum(f.verdict == "unsure" for f in faces)
    return "unsure", f"Not sure about {unsure} of {len(faces)}"


def _is_hostile(letter: str) -> bool:
    # Control and format characters: line ends, and marks that turn a name's direction around.
    return letter in _NEVER_IN_A_NAME or unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cs")
