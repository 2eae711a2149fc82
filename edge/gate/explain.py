"""The decision worked out on paper: the tables of docs/decision.md, made by the code itself.

``python -m edge.gate.explain`` prints them.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge.gate.decision import VERDICTS, DecisionSettings, Evidence, confidence, leaning, update
from edge.gate.evidence import Lack

Probabilities = tuple[float, float, float]
Sight = tuple[float, Probabilities | Lack]
"""A face seen at a time in seconds: what the classifier said, or what the look lacked."""

EXAMPLE: tuple[Sight, ...] = (
    (0.0, "too small"),
    (0.1, (0.30, 0.60, 0.10)),
    (0.2, (0.04, 0.93, 0.03)),
    (0.3, "blurred"),
    (0.4, (0.55, 0.40, 0.05)),
    *((tenth / 10, (0.01, 0.98, 0.01)) for tenth in range(5, 13)),
)
"""Somebody without a mask walks up, seen 10 times a second."""

_RATES = (5.0, 10.0, 15.0, 30.0)
_CLEAR = 0.98


def worked_table(sights: Sequence[Sight], settings: DecisionSettings) -> str:
    """Return what each of *sights* does to the evidence about one person, as Markdown."""
    rows = [
        ["time s", "mask", "none", "wrong", "worth", "S mask", "S none", "S wrong", "of the bound",
         "verdict"],
        ["---:"] * 9 + ["---"],
    ]
    evidence = Evidence()
    for seconds, sight in sights:
        if isinstance(sight, str):
            said: list[str] = [sight, "", ""]
            worth = "none"
        else:
            after = update(evidence, sight, seconds, settings)
            said = [f"{p:.2f}" for p in sight]
            worth = f"{after.opinions - evidence.opinions:.2f}"
            evidence = after
        lean = leaning(evidence, settings)
        side = "against" if lean > 0 else "for"
        rows.append(
            [f"{seconds:.1f}", *said, worth]
            + [f"{score:.2f}" for score in evidence.scores]
            + [f"{abs(lean):.0%} {side}" if lean else "0%", _words(evidence)]
        )
    return _markdown(rows)


def clear_table(settings: DecisionSettings) -> str:
    """Return how soon a clear face is judged at some frame rates, as Markdown."""
    names = ("mask", "no mask", "worn wrong")
    rows = [["frames per second", *(f"{name}: s (looks)" for name in names)], ["---:"] * 4]
    for rate in _RATES:
        cells = []
        for label in range(len(VERDICTS)):
            seconds, looks = time_to_verdict(label, rate, settings)
            cells.append(f"{seconds:.2f} ({looks})")
        rows.append([f"{rate:g}", *cells])
    return _markdown(rows)


def time_to_verdict(label: int, rate: float, settings: DecisionSettings) -> tuple[float, int]:
    """Return (seconds, looks) until a face of verdict number *label* is judged.

    The classifier is 98 % sure of it at each of *rate* looks a second.
    """
    look = [(1 - _CLEAR) / 2] * len(VERDICTS)
    look[label] = _CLEAR
    evidence = Evidence()
    while evidence.verdict == "unsure":
        evidence = update(evidence, look, evidence.looks / rate, settings)
    return evidence.decided_at or 0.0, evidence.looks


def _words(evidence: Evidence) -> str:
    if evidence.verdict == "unsure":
        return "unsure"
    return f"{evidence.verdict} ({confidence(evidence):.1%})"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


if __name__ == "__main__":
    print(worked_table(EXAMPLE, DecisionSettings()))
    print()
    print(clear_table(DecisionSettings()))
