"""Pictures a person wants to see after a training; they show data, so they are not committed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np

from edge.modelfile import LABELS
from edge.vision.crop import Image, crop_face
from train.data.pictures import LoadedFaces
from train.report import metrics
from train.report.metrics import Classes, Probabilities

COLORS = ("#0072b2", "#d55e00", "#cc9900")
TILE = 128
SHEET_COLUMNS = 10
SHEET_ROWS = 8


def draw_report(
    out: Path,
    history: Sequence[dict[str, float]],
    truth: Classes,
    probabilities: Probabilities,
    faces: LoadedFaces,
    margin: float,
) -> None:
    """Write curves, confusion, precision-recall, reliability and worst mistakes into *out*."""
    draw_curves(out / "curves.png", history)
    said = probabilities.argmax(axis=1)
    draw_confusion(out / "confusion.png", metrics.confusion_matrix(truth, said, len(LABELS)))
    draw_precision_recall(out / "precision_recall.png", truth, probabilities)
    draw_reliability(out / "reliability.png", truth, probabilities)
    draw_worst(out / "worst_mistakes.png", truth, probabilities, faces, margin)


def open_figure(columns: int = 1) -> tuple[Any, Any]:
    """Return a figure and its axes, *columns* of them side by side, drawn without a screen."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(1, columns, figsize=(5.2 * columns, 4.4), layout="constrained")


def save_figure(figure: Any, path: Path) -> None:
    """Write *figure* to *path* and let go of it."""
    from matplotlib import pyplot

    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw_curves(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Write loss and accuracies over the epochs of *history* to *path*."""
    figure, (left, right) = open_figure(2)
    epochs = [row["epoch"] for row in history]
    for axes, names in (
        (left, ("loss", "val_loss")),
        (right, (
            "accuracy", "val_accuracy", "val_with_without_balanced_accuracy",
            "val_incorrect_recall", "val_incorrect_precision",
        )),
    ):
        for name in names:
            values = [row.get(name, np.nan) for row in history]
            axes.plot(epochs, values, marker=".", label=name.replace("_", " "))
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    save_figure(figure, path)


def draw_losses(path: Path, history: Sequence[dict[str, float]]) -> None:
    """Write the losses over the epochs of *history* to *path*."""
    figure, axes = open_figure()
    for name in ("loss", "val_loss"):
        epochs, values = [r["epoch"] for r in history], [r[name] for r in history]
        axes.plot(epochs, values, marker=".", label=name.replace("_", " "))
    axes.set_xlabel("epoch")
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, path)


def draw_confusion(path: Path, confusion: Any) -> None:
    """Write the *confusion* matrix, counts over shares of the true class, to *path*."""
    figure, axes = open_figure()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(LABELS)):
        for column in range(len(LABELS)):
            shade = "white" if shares[row, column] > 0.5 else "black"
            text = f"{confusion[row, column]}\n{shares[row, column]:.1%}"
            axes.text(column, row, text, ha="center", va="center", color=shade)
    axes.set_xticks(range(len(LABELS)), LABELS)
    axes.set_yticks(range(len(LABELS)), LABELS)
    axes.set_xlabel("said")
    axes.set_ylabel("true")
    save_figure(figure, path)


def draw_precision_recall(path: Path, truth: Classes, probabilities: Probabilities) -> None:
    """Write the precision-recall curve of each class to *path*."""
    figure, axes = open_figure()
    for number, (label, color) in enumerate(zip(LABELS, COLORS, strict=True)):
        if not np.any(truth == number):
            continue
        positive, scores = truth == number, probabilities[:, number]
        precision, recall, _ = metrics.precision_recall_curve(positive, scores)
        area = metrics.average_precision(positive, scores)
        axes.plot(recall, precision, color=color, label=f"{label} (AP {area:.3f})")
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_xlim(0.5, 1.005)
    axes.set_ylim(0.5, 1.005)
    axes.grid(alpha=0.3)
    axes.legend()
    save_figure(figure, path)


def draw_reliability(path: Path, truth: Classes, probabilities: Probabilities) -> None:
    """Write how often the classifier is right against how sure it is to *path*."""
    figure, axes = open_figure()
    sure, right, count = metrics.reliability(truth, probabilities)
    axes.plot([0.3, 1], [0.3, 1], color="grey", linestyle=":")
    axes.plot(sure, right, marker="o", color=COLORS[0])
    for x, y, n in zip(sure, right, count, strict=True):
        if n:
            axes.annotate(str(n), (x, y), fontsize=7, xytext=(3, -9), textcoords="offset points")
    error = metrics.expected_calibration_error(truth, probabilities)
    axes.set_title(f"expected calibration error {error:.2%}")
    axes.set_xlabel("probability of the answer")
    axes.set_ylabel("share of answers that are right")
    axes.grid(alpha=0.3)
    save_figure(figure, path)


def draw_worst(
    path: Path, truth: Classes, probabilities: Probabilities, faces: LoadedFaces, margin: float
) -> None:
    """Write a contact sheet of the surest wrong answers to *path*; nothing when all are right."""
    wrong = np.nonzero(probabilities.argmax(axis=1) != truth)[0]
    order = wrong[np.argsort(-probabilities[wrong].max(axis=1))][: SHEET_COLUMNS * SHEET_ROWS]
    tiles = []
    for place in order:
        record = faces.records[place]
        tile = crop_face(faces.picture(record), record.box, margin=margin, size=TILE)
        said = int(probabilities[place].argmax())
        lines = [
            f"{record.source} true {LABELS[truth[place]].split('_')[0]}",
            f"said {LABELS[said].split('_')[0]} {probabilities[place, said]:.2f}",
        ]
        tiles.append((tile, lines))
    contact_sheet(path, tiles)


def contact_sheet(path: Path, entries: Sequence[tuple[Image, Sequence[str]]]) -> None:
    """Write pictures of equal size (T, T, 3), two lines of text under each, to *path*.

    Nothing is written when there are none.
    """
    tiles = []
    for tile, lines in entries:
        strip = np.full((26, tile.shape[1], 3), 255, np.uint8)
        for number, text in enumerate(lines):
            at = (2, 10 + 12 * number)
            cv2.putText(strip, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.33, (0, 0, 0), 1, cv2.LINE_AA)
        tiles.append(np.vstack([tile, strip]))
    if not tiles:
        return
    blank = np.full_like(tiles[0], 255)
    tiles += [blank] * (-len(tiles) % SHEET_COLUMNS)
    rows = [
        np.hstack(tiles[i : i + SHEET_COLUMNS]) for i in range(0, len(tiles), SHEET_COLUMNS)
    ]
    written, packed = cv2.imencode(".png", np.vstack(rows))
    if written:
        path.write_bytes(packed.tobytes())
