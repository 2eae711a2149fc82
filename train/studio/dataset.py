"""What an audit found out about a data set: counts, leaks, doubtful labels; plain functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge.modelfile import LABELS
from train.studio.messages import Box, Crops, CropsAsked, Pixels, Probabilities, packed, unpacked

AUDIT_NAME = "audit.json"
SMALL_PIXELS = 24.0
"""Shorter side of a face below which the gate would hardly look."""

DARK_LUMA = 40.0
BLURRED = 0.45
LARGEST_AUDIT = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AuditedFace:
    """A labelled face and what was seen of it.

    *alike* is the number of its group of near-duplicates.  *shorter* is its box's shorter side in
    pixels, *brightness* 0 to 255 and *sharpness* 0 to 2 as the gate measures.
    """

    file: str
    split: str
    label: str
    source: str
    group: str
    box: Box
    alike: int
    shorter: float
    brightness: float
    sharpness: float
    probabilities: Probabilities

    @property
    def name(self) -> str:
        return Path(self.file).name

    @property
    def agreement(self) -> float:
        """How probable the network finds the given label, 0 to 1."""
        return self.probabilities[LABELS.index(self.label)]

    @property
    def seen(self) -> str:
        """The label that the network would give."""
        return LABELS[max(range(len(LABELS)), key=lambda i: self.probabilities[i])]


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that was seen of the data set in *folder*."""

    folder: str
    checksum: str
    faces: tuple[AuditedFace, ...]
    pictures: int
    broken: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_audit(folder: Path) -> Audit | None:
    """Return the audit in the run's *folder*, None where there is none yet."""
    path = folder / AUDIT_NAME
    try:
        if path.stat().st_size > LARGEST_AUDIT:
            return None
        return msgspec.json.decode(path.read_bytes(), type=Audit)
    except (OSError, msgspec.DecodeError):
        return None


def counts(audit: Audit) -> list[dict[str, str | int]]:
    """Return a row a split and source: its faces by label, and in all."""
    table: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for face in audit.faces:
        table[face.split, face.source or "unnamed"][face.label] += 1
    return [
        {
            "split": split, "source": source, **{label: found[label] for label in LABELS},
            "faces": found.total(),
        }
        for (split, source), found in sorted(table.items())
    ]


def duplicates(audit: Audit) -> list[tuple[AuditedFace, ...]]:
    """Return groups of faces from pictures that look the same, the largest first."""
    return sorted(
        (g for g in _alike(audit).values() if len({face.file for face in g}) > 1),
        key=len, reverse=True,
    )


def leaks(audit: Audit) -> list[tuple[AuditedFace, ...]]:
    """Return groups of near-duplicates that are on both sides of the split."""
    return [g for g in duplicates(audit) if len({face.split for face in g}) > 1]


def doubtful(audit: Audit, most: float = 0.5) -> list[AuditedFace]:
    """Return faces whose label the network finds at most *most* probable, the worst first."""
    return sorted(
        (face for face in audit.faces if face.agreement <= most), key=lambda f: f.agreement
    )


def names_alone(audit: Audit) -> frozenset[str]:
    """Return the names of pictures that stand for one face in the whole set, on either side.

    Only such a face can be corrected: a correction names a picture, without its folder.
    """
    faces = Counter(face.name for face in audit.faces)
    return frozenset(name for name, count in faces.items() if count == 1)


def poor(audit: Audit) -> Mapping[str, list[AuditedFace]]:
    """Return the small, the dark and the blurred faces, the worst of each first."""
    measures: Mapping[str, tuple[Callable[[AuditedFace], float], float]] = {
        "small": (lambda f: f.shorter, SMALL_PIXELS),
        "dark": (lambda f: f.brightness, DARK_LUMA),
        "blurred": (lambda f: f.sharpness, BLURRED),
    }
    return {
        name: sorted((f for f in audit.faces if measure(f) < least), key=measure)
        for name, (measure, least) in measures.items()
    }


def crops_of(faces: Sequence[AuditedFace], folder: Path, side: int = 160) -> list[Pixels | None]:
    """Return *faces* as small pictures, None where one cannot be read.

    Only files that lie in *folder* are opened, by a child process.  Raises SourceError.
    """
    from train.studio.child import ask

    home = folder.resolve()
    inside = [Path(face.file).resolve().is_relative_to(home) for face in faces]
    asked = [face for face, good in zip(faces, inside, strict=True) if good]
    request = CropsAsked(tuple(f.file for f in asked), tuple(f.box for f in asked), side)
    answered = iter(unpacked(ask("crops", packed(request)), Crops).crops)
    return [next(answered, None) if good else None for good in inside]


def _alike(audit: Audit) -> dict[int, tuple[AuditedFace, ...]]:
    groups: dict[int, list[AuditedFace]] = defaultdict(list)
    for face in audit.faces:
        groups[face.alike].append(face)
    return {number: tuple(faces) for number, faces in groups.items()}
