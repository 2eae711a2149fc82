"""The drawings of the report, as SVG that is the same for the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.files import replaced
from edge.modelfile import LABELS

# Okabe and Ito's colours, told apart by people who see red and green alike.
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
MARKERS = ("o", "s", "D")
SLICE_TARGET, CLOSE_TARGET = 0.97, 0.97

FEWEST_OF_A_BIN = 5
"""Answers below which a dot of the reliability diagram would be noise."""

# A salt and no date: the ids in an SVG are random otherwise, and it names the day.
_SETTINGS: Any = {
    "svg.hashsalt": "maskgate", "font.size": 9, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3, "legend.frameon": False,
}


def draw_scores(folder: Path, scores: Mapping[str, Any]) -> list[str]:
    """Write every drawing of *scores* into *folder*, and return their names.

    Raises OSError where a file cannot be written.
    """
    detector, classifier, pair = scores["detector"], scores["classifier"], scores["pair"]
    ranges = {name: e["slices"] for name, e in detector["ranges"].items() if "slices" in e}
    labelled = {"labels as given": classifier}
    if "without_disputed" in classifier:
        labelled["disputed left out"] = classifier["without_disputed"]
    drawings: dict[str, Callable[[], Any]] = {
        "detector": lambda: draw_detector(detector["ranges"]),
        "confusion": lambda: draw_confusion(classifier["confusion"]),
        "reliability": lambda: draw_reliability(classifier["reliability"]),
        "incorrect": lambda: draw_incorrect(labelled),
        "slices_classifier": lambda: draw_slices(
            {name: one["slices"] for name, one in labelled.items()}, ["with_without"], SLICE_TARGET
        ),
        "slices_detector": lambda: draw_slices(ranges, ["recall"], CLOSE_TARGET),
        "slices_pair": lambda: draw_slices(
            {"close": pair["slices"]}, ["found", "found_and_right"], None
        ),
        "closeups": lambda: draw_closeups(scores["closeups"]["shares"]),
    }
    from matplotlib import rc_context

    for name, draw in drawings.items():
        with rc_context(_SETTINGS), replaced(folder / f"{name}.svg") as file:
            draw().savefig(
                file, format="svg", facecolor="white",
                metadata={"Date": None, "Creator": None},
            )
    return list(drawings)


def draw_detector(ranges: Mapping[str, Any]) -> Any:
    """Return the detector's precision over recall for each of *ranges*, with the working point."""
    figure, axes = _figure(5.2, 4.0)
    for (name, entry), color, marker in zip(
        [(n, e) for n, e in ranges.items() if "curve" in e], (ORANGE, BLUE), MARKERS, strict=False
    ):
        curve = entry["curve"]
        axes.plot(curve["recall"], curve["precision"], color=color, linewidth=1.5,
                  label=f"{name}: AP50 {entry['average_precision']['value']:.1%}")
        at = entry["working_point"]
        if at["precision"] is not None:
            axes.plot(at["recall"], at["precision"], color=color, marker=marker, linestyle="none",
                      label=f"{name}: recall {at['recall']:.1%} at 0.1 false faces a picture")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    return figure


def draw_confusion(confusion: Sequence[Sequence[int]]) -> Any:
    """Return the *confusion* matrix: counts over shares of the true class."""
    figure, axes = _figure(4.4, 3.6)
    counts = np.array(confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolor="white")
    for row in range(len(LABELS)):
        for column in range(len(LABELS)):
            shade = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column + 0.5, row + 0.5, f"{counts[row, column]}\n{shares[row, column]:.1%}",
                      ha="center", va="center", color=shade)
    places = np.arange(len(LABELS)) + 0.5
    names = [label.replace("_", "\n") for label in LABELS]
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)
    axes.set(xlabel="said", ylabel="true")
    axes.invert_yaxis()
    axes.grid(False)
    axes.tick_params(length=0)
    return figure


def draw_reliability(bins: Mapping[str, Sequence[Any]]) -> Any:
    """Return how often answers are right against how sure they are, and how many are how sure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 4.0), layout="constrained")
    axes, below = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    kept = [i for i, count in enumerate(bins["count"]) if count >= FEWEST_OF_A_BIN]
    sure = [bins["confidence"][i] for i in kept]
    right = [bins["right"][i] for i in kept]
    count = [bins["count"][i] for i in kept]
    every = [(c, n) for c, n in zip(bins["confidence"], bins["count"], strict=True) if n]
    low = [r - _wilson(r, n)[0] for r, n in zip(right, count, strict=True)]
    high = [_wilson(r, n)[1] - r for r, n in zip(right, count, strict=True)]
    axes.plot([0.3, 1], [0.3, 1], color=GREY, linestyle=":", label="as sure as right")
    axes.errorbar(sure, right, yerr=np.maximum([low, high], 0), color=BLUE, marker="o",
                  markersize=4, linewidth=1.2, capsize=2, label="this classifier, 95 %")
    axes.set(ylabel="share of answers that are right", ylim=(0, 1.03))
    axes.legend(loc="lower right")
    below.bar(*zip(*every, strict=True), width=0.03, color=BLUE)
    below.set_yscale("log")
    below.set(xlabel="probability of the answer", ylabel="faces", xlim=(0.3, 1.02))
    return figure


def draw_incorrect(labelled: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return precision over recall of *incorrect*, and the corner the target asks for.

    One curve, and one point where the likeliest answer counts, per way that faces are
    *labelled*.
    """
    from matplotlib.patches import Rectangle

    figure, axes = _figure(4.4, 3.6)
    axes.add_patch(Rectangle((0.85, 0.9), 0.15, 0.1, color=GREEN, alpha=0.25, linewidth=0))
    axes.annotate("target", (0.86, 0.905), color="black", va="bottom")
    for (name, judged), color, marker in zip(
        labelled.items(), (BLUE, ORANGE), MARKERS, strict=False
    ):
        curve = judged["incorrect_curve"]
        axes.plot(curve["recall"], curve["precision"], color=color, linewidth=1.5, label=name)
        at = judged["incorrect_recall"]["value"], judged["incorrect_precision"]["value"]
        if None not in at:
            axes.plot(*at, color=color, marker=marker, linestyle="none",
                      label="  the likeliest answer counts")
    axes.set(xlabel="recall of incorrect", ylabel="precision of incorrect",
             xlim=(0, 1.01), ylim=(0, 1.02))
    axes.legend(loc="lower left")
    return figure


def draw_slices(
    columns: Mapping[str, Mapping[str, Mapping[str, Any]]], kinds: Sequence[str],
    target: float | None,
) -> Any:
    """Return each slice's shares as a dot with its interval, and a line at the *target*.

    Slices without a claim are left out.
    """
    series = [
        (column if len(kinds) == 1 else kind.replace("_", " "), slices, kind)
        for column, slices in columns.items()
        for kind in kinds
    ]
    names = [
        name
        for name in dict.fromkeys(name for slices in columns.values() for name in slices)
        if any(_stated(slices, name, kind) for _, slices, kind in series)
    ]
    figure, axes = _figure(6.8, 0.8 + 0.24 * max(len(names), 4))
    step = 0.24 if len(series) > 1 else 0.0
    for number, ((label, slices, kind), color) in enumerate(
        zip(series, (BLUE, ORANGE, GREEN), strict=False)
    ):
        shown = [i for i, name in enumerate(names) if _stated(slices, name, kind)]
        entries = [slices[names[i]][kind] for i in shown]
        values = np.array([entry["value"] for entry in entries])
        spans = np.array(
            [
                [entry["value"] - entry.get("low", entry["value"]) for entry in entries],
                [entry.get("high", entry["value"]) - entry["value"] for entry in entries],
            ]
        )
        places = np.array(shown) + step * (number - (len(series) - 1) / 2)
        axes.errorbar(values, places, xerr=np.maximum(spans, 0), color=color, linestyle="none",
                      marker=MARKERS[number], markersize=4, linewidth=1.2, capsize=2, label=label)
    if target is not None:
        axes.axvline(target, color="black", linestyle="--", linewidth=1,
                     label=f"target {target:.0%}")
    axes.set_yticks(range(len(names)), [_counted(name, columns) for name in names])
    families = [name.split(":")[0] for name in names]
    for place in range(1, len(names)):
        if families[place] != families[place - 1]:
            axes.axhline(place - 0.5, color=GREY, linewidth=0.5)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_xlim(right=1.005)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(False, axis="y")
    figure.legend(loc="outside upper right", ncols=4)
    return figure


def draw_closeups(shares: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the share of faces found over the share of the frame that the face takes."""
    figure, axes = _figure(5.2, 3.4)
    places = np.arange(len(shares))
    entries = [entry["recall"] for entry in shares.values()]
    values = np.array([entry["value"] for entry in entries])
    low = values - [entry.get("low", entry["value"]) for entry in entries]
    high = np.array([entry.get("high", entry["value"]) for entry in entries]) - values
    axes.errorbar(places, values, yerr=np.maximum([low, high], 0), color=BLUE, marker="o",
                  linewidth=1.5, capsize=3)
    axes.set_xticks(places, [f"{float(share):.0%}" for share in shares])
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set(xlabel="face's share of the frame's width", ylabel="faces found", ylim=(0, 1.02))
    return figure


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _stated(slices: Mapping[str, Mapping[str, Any]], name: str, kind: str) -> bool:
    return name in slices and slices[name][kind]["value"] is not None


def _counted(name: str, columns: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    counts = [slices[name]["faces"] for slices in columns.values() if name in slices]
    return f"{name} ({' / '.join(f'{count:,}' for count in dict.fromkeys(counts))})"


def _wilson(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a *share* of *count*, as Wilson (1927) has it."""
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    return float(middle - half), float(middle + half)
