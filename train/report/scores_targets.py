"""The targets of the released networks, and whether a measured figure meets one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from train.report.tables import percent_interval

SLICE_TARGET = 0.97


@dataclass(frozen=True, slots=True)
class Headline:
    """One measured figure beside its target.

    *entry* holds ``value`` and perhaps ``low`` and ``high``, 0 to 1.  *target* is the bound the
    value must reach, from above where *below* is set; None where *wanted* says it in words.
    """

    name: str
    entry: Mapping[str, Any]
    faces: int
    wanted: str
    target: float | None = None
    below: bool = False

    @property
    def verdict(self) -> str:
        """Whether the target is met, and whether the interval leaves a doubt; a dash if open."""
        value = self.entry["value"]
        if self.target is None or value is None:
            return "-"
        sign = -1 if self.below else 1
        low, high = self.entry.get("low", value), self.entry.get("high", value)
        if self.below:
            low, high = high, low
        if sign * value >= sign * self.target:
            return "met" if sign * low >= sign * self.target else "met, within the error"
        return "missed" if sign * high < sign * self.target else "missed, within the error"

    @property
    def measured(self) -> str:
        """The value with its interval, percent."""
        return percent_interval(dict(self.entry))


def detector_headlines(result: Mapping[str, Any]) -> list[Headline]:
    """Return the detector's figures of the *result* of ``evaluate_pictures``."""
    gate, close = result["ranges"]["gate"], result["ranges"]["close"]
    rows = [
        Headline("AP50, gate range", gate["average_precision"], gate["faces"],
                 "that of YuNet at 640"),
        Headline("recall, close, at 0.1 false faces a picture", close["recall"], close["faces"],
                 "97 % or more", 0.97),
        Headline("the same, faces of known state", close["known_state"]["recall"],
                 close["known_state"]["faces"], "97 % or more", 0.97),
    ]
    for name, entry in (("close", close), ("gate", gate)):
        gap = entry["masked_bare_gap"]
        both = " and ".join(gap["sources_with_both"]) or "no source"
        rows += [
            Headline(f"recall, {name}, bare less masked, within {both}", gap["same_sources"],
                     gap["masked"] + gap["bare_same_sources"], "1 point or less", 0.01, below=True),
            Headline(f"recall, {name}, bare less masked, all sources", gap["all"],
                     gap["masked"] + gap["bare"], "1 point or less", 0.01, below=True),
        ]
    return rows


def classifier_headlines(result: Mapping[str, Any]) -> list[Headline]:
    """Return the classifier's figures of the *result* of ``evaluate_faces`` or a part of it."""
    classes = result["classes"]
    masked, bare, wrong = (entry["faces"] for entry in classes.values())
    rows = [
        Headline("with/without, balanced accuracy", result["with_without_balanced_accuracy"],
                 masked + bare, "99.0 % or more", 0.99),
        Headline("incorrect, recall where precision is 90 %",
                 result["incorrect_recall_at_stated_precision"], wrong, "85 % or more", 0.85),
        Headline("expected calibration error", result["expected_calibration_error"],
                 result["faces"], "2 % or less", 0.02, below=True),
    ]
    worst = worst_slice(result["slices"])
    if worst is not None:
        name, entry = worst
        rows.insert(1, Headline(f"with/without, worst slice ({name})", entry["with_without"],
                                entry["masked"] + entry["bare"], "97 % or more", SLICE_TARGET))
    return rows


def pair_headlines(result: Mapping[str, Any]) -> list[Headline]:
    """Return the end-to-end figures of the *result* of ``evaluate_pair``."""
    everything = result["close_faces"]["all"]
    return [
        Headline("close faces found and judged right", everything["found_and_right"],
                 everything["faces"], "95 % or more", 0.95),
    ]


def closeup_headlines(result: Mapping[str, Any]) -> list[Headline]:
    """Return the worst share of the frame of the *result* of ``evaluate_closeups``."""
    share, entry = min(
        result["shares"].items(), key=lambda item: item[1]["recall"]["value"]
    )
    return [
        Headline(f"faces found where the face takes 4 to 95 % of the frame, worst: "
                 f"{float(share):.0%}", entry["recall"], result["faces"], "no share falls behind"),
    ]


def worst_slice(slices: Mapping[str, Mapping[str, Any]]) -> tuple[str, Mapping[str, Any]] | None:
    """Return the slice with the lowest with/without of those large enough for a claim."""
    stated = [
        (name, entry) for name, entry in slices.items()
        if entry["with_without"]["value"] is not None
    ]
    return min(stated, key=lambda item: item[1]["with_without"]["value"], default=None)
