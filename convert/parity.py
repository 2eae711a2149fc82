"""How far the int8 network is from the float network it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.modelfile import LABELS
from edge.vision.classifier import softmax
from edge.vision.detector import Faces
from edge.vision.geometry import iou_matrix

Floats = npt.NDArray[np.floating]

WORST_CASES = 12
MATCH_IOU = 0.7
# A face whose score moves from 0.51 to 0.49 was not lost: its partner may score this much less.
SCORE_SLACK = 0.1


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is allowed: shares from 0 to 1; *accuracy_loss* as a share too (0.01 is one point)."""

    agreement: float = 0.99
    accuracy_loss: float = 0.01
    matched: float = 0.97


@dataclass(frozen=True, slots=True)
class ClassifierParity:
    """Float against int8 on the same *faces*; probabilities at the calibrated temperature."""

    faces: int
    agreeing: int
    float_right: int
    int8_right: int
    largest_difference: float
    mean_difference: float
    worst: tuple[dict[str, Any], ...]

    @property
    def agreement(self) -> float:
        """The share of faces for which both say the same."""
        return self.agreeing / self.faces

    @property
    def accuracy_loss(self) -> float:
        """What int8 loses of the share of right answers; negative when it gains."""
        return (self.float_right - self.int8_right) / self.faces

    def rows(self, bounds: Bounds) -> list[tuple[str, str, str]]:
        """Return (what, value, bound) as a person reads them."""
        return [
            ("faces compared", str(self.faces), ""),
            (
                "same answer", _share(self.agreeing, self.faces),
                f"at least {bounds.agreement:.2%}",
            ),
            ("right, float", _share(self.float_right, self.faces), ""),
            ("right, int8", _share(self.int8_right, self.faces), ""),
            (
                "accuracy lost", f"{100 * self.accuracy_loss:+.2f} points",
                f"at most {100 * bounds.accuracy_loss:+.2f} points",
            ),
            ("probability, mean difference", f"{self.mean_difference:.4f}", ""),
            ("probability, largest difference", f"{self.largest_difference:.4f}", ""),
        ]

    def breaches(self, bounds: Bounds) -> list[str]:
        """Return a clause for each of *bounds* that is broken."""
        found = []
        if self.agreement < bounds.agreement:
            found.append(
                f"the same answer on {self.agreement:.2%} of {self.faces} faces, "
                f"at least {bounds.agreement:.2%} is allowed"
            )
        if self.accuracy_loss > bounds.accuracy_loss:
            found.append(
                f"{100 * self.accuracy_loss:.2f} points of accuracy lost, "
                f"at most {100 * bounds.accuracy_loss:.2f} are allowed"
            )
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {**asdict(self), "agreement": self.agreement, "accuracy_loss": self.accuracy_loss}


@dataclass(frozen=True, slots=True)
class DetectorParity:
    """Float against int8 on the same *pictures*, faces that score *threshold* or more.

    A face is matched when the other network has one that overlaps it by IoU
    :data:`MATCH_IOU`, each used once, and scores at most :data:`SCORE_SLACK` below *threshold*.
    """

    pictures: int
    threshold: float
    float_faces: int
    float_matched: int
    int8_faces: int
    int8_matched: int
    mean_score_difference: float
    mean_iou: float
    worst: tuple[dict[str, Any], ...]

    @property
    def matched(self) -> float:
        """The smaller of both shares of matched faces; 1 where neither network found any."""
        shares = [
            matched / faces if faces else 1.0
            for matched, faces in (
                (self.float_matched, self.float_faces),
                (self.int8_matched, self.int8_faces),
            )
        ]
        return min(shares)

    def rows(self, bounds: Bounds) -> list[tuple[str, str, str]]:
        """Return (what, value, bound) as a person reads them."""
        bound = f"at least {bounds.matched:.2%}"
        return [
            ("pictures compared", str(self.pictures), ""),
            (
                f"float faces (score {self.threshold:g} or more) int8 finds too",
                _share(self.float_matched, self.float_faces), bound,
            ),
            (
                f"int8 faces (score {self.threshold:g} or more) float finds too",
                _share(self.int8_matched, self.int8_faces), bound,
            ),
            ("score, mean difference int8 - float", f"{self.mean_score_difference:+.4f}", ""),
            ("overlap of the matched, mean IoU", f"{self.mean_iou:.4f}", ""),
        ]

    def breaches(self, bounds: Bounds) -> list[str]:
        """Return a clause for each of *bounds* that is broken."""
        if not self.float_faces:
            return ["the float network finds no face at all, so nothing can be compared"]
        if self.matched >= bounds.matched:
            return []
        return [
            f"{self.matched:.2%} of the faces matched ({self.float_matched} of "
            f"{self.float_faces} and {self.int8_matched} of {self.int8_faces}), "
            f"at least {bounds.matched:.2%} is allowed"
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {**asdict(self), "matched": self.matched, "match_iou": MATCH_IOU}


def compare_classifiers(
    float_logits: Floats,
    int8_logits: Floats,
    truth: Sequence[int],
    names: Sequence[str],
    labels: Sequence[str] = LABELS,
    temperature: float = 1.0,
) -> ClassifierParity:
    """Compare logits (N, C) of both networks on N faces called *names* of classes *truth*.

    Raises ValueError when there is no face.
    """
    if not len(float_logits):
        raise ValueError("no face to compare on; at least one is needed")
    a, b = softmax(float_logits, temperature), softmax(int8_logits, temperature)
    said_a, said_b = a.argmax(axis=1), b.argmax(axis=1)
    gaps = np.abs(a - b)
    # Changed answers first, then the largest change of a probability.
    order = np.lexsort((-gaps.max(axis=1), said_a == said_b))[:WORST_CASES]
    worst = tuple(
        {
            "name": names[i],
            "truth": labels[truth[i]],
            "float": f"{labels[said_a[i]]} {a[i].max():.3f}",
            "int8": f"{labels[said_b[i]]} {b[i].max():.3f}",
            "difference": round(float(gaps[i].max()), 4),
        }
        for i in order
    )
    right = np.asarray(truth)
    return ClassifierParity(
        faces=len(a),
        agreeing=int((said_a == said_b).sum()),
        float_right=int((said_a == right).sum()),
        int8_right=int((said_b == right).sum()),
        largest_difference=float(gaps.max()),
        mean_difference=float(gaps.mean()),
        worst=worst,
    )


def compare_detectors(
    float_faces: Sequence[Faces],
    int8_faces: Sequence[Faces],
    names: Sequence[str],
    threshold: float,
) -> DetectorParity:
    """Compare what both networks found in the same pictures, called *names*.

    Both must have been run with a score threshold of *threshold* - :data:`SCORE_SLACK` or
    less, so that partners just below *threshold* are seen.
    """
    totals = np.zeros(4, np.int64)
    scores: list[float] = []
    overlaps: list[float] = []
    misses: list[tuple[int, dict[str, Any]]] = []
    for name, a, b in zip(names, float_faces, int8_faces, strict=True):
        forth, pairs = _matched(a, b, threshold)
        back, _ = _matched(b, a, threshold)
        count_a, count_b = (int((faces.scores >= threshold).sum()) for faces in (a, b))
        totals += (count_a, forth, count_b, back)
        scores += [float(b.scores[j] - a.scores[i]) for i, j, _ in pairs]
        overlaps += [iou for _, _, iou in pairs]
        lost = count_a - forth + count_b - back
        if lost:
            case = {"name": name, "float": f"{forth} of {count_a}", "int8": f"{back} of {count_b}"}
            misses.append((lost, case))
    misses.sort(key=lambda item: -item[0])
    return DetectorParity(
        pictures=len(names),
        threshold=threshold,
        float_faces=int(totals[0]),
        float_matched=int(totals[1]),
        int8_faces=int(totals[2]),
        int8_matched=int(totals[3]),
        mean_score_difference=float(np.mean(scores)) if scores else 0.0,
        mean_iou=float(np.mean(overlaps)) if overlaps else 0.0,
        worst=tuple(case for _, case in misses[:WORST_CASES]),
    )


def _matched(a: Faces, b: Faces, threshold: float) -> tuple[int, list[tuple[int, int, float]]]:
    wanted = np.nonzero(a.scores >= threshold)[0]
    partners = np.nonzero(b.scores >= threshold - SCORE_SLACK)[0]
    ious = iou_matrix(a.boxes[wanted], b.boxes[partners])
    pairs = []
    while ious.size and ious.max() >= MATCH_IOU:
        i, j = np.unravel_index(int(ious.argmax()), ious.shape)
        pairs.append((int(wanted[i]), int(partners[j]), float(ious[i, j])))
        ious[i, :] = -1
        ious[:, j] = -1
    return len(pairs), pairs


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.2%})" if whole else "0 of 0"
