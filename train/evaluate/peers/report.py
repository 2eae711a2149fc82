"""The comparison as tables, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.modelfile import LABELS
from train.report.tables import aligned, percent, percent_interval

NOTES = (
    "Every network is fed and read as its authors do it, and gets the same pictures. The "
    "pictures of wider are part of WIDER FACE train, which UltraFace, YuNet and AIZOO were "
    "trained on, and those of mafa are of MAFA, which AIZOO and UltraFace masked were trained "
    "on: they may have seen them. Ours has seen none of these pictures, but others of all "
    "three sources. No author names ilc; BlazeFace was trained on pictures of its makers.",
    "AP50 and recall are over the whole curve: recall where false positives are 0.1 a picture, "
    "so that no network gains by its threshold. Masked, bare and incorrect are recalls at that "
    "same point. Found and right and wrong alerts are at the threshold each network is published "
    "with, close-ups at both: as published, and where false positives are 0.1 a picture.",
    "A face counts as found at IoU 0.5. Boxes here reach from forehead to chin; BlazeFace's "
    "begin at the brow and the others' differ a little too, which costs them some matches.",
    "Network: copying the input in, running, reading the outputs; ours also swaps and quantises "
    "the pixels in it, the others get floats that are ready. From a frame: the same from a "
    "640x480 picture, resizing and normalising included. Turning outputs into boxes is in "
    "neither. What counts are the ratios.",
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table with its title; the first column is text, the others numbers."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def quality_tables(results: Sequence[dict[str, Any]]) -> list[Table]:
    """Return the tables of what :func:`train.evaluate.peers.compare.measured` gave of each."""
    if not results:
        return []
    tables = [_detection(results, name) for name in ("gate", "close")]
    tables += [_sources(results), *_pairs([r for r in results if r["pair"]])]
    return [*tables, *(_closeups(results, level) for level in ("published", "equal"))]


def speed_table(timed: Sequence[dict[str, Any]], threads: int) -> Table:
    """Return the table of what :func:`train.evaluate.peers.speed.speeds` gave."""
    first = timed[0]["name"]
    rows = tuple(
        (
            row["name"], _decimal(row["network"], " ms"), _decimal(row["network_ratio"], " x"),
            _decimal(row["fed"], " ms"), _decimal(row["fed_ratio"], " x"),
        )
        for row in timed
    )
    title = f"Speed on {threads} thread{'s' if threads > 1 else ''}; x: of {first}'s"
    return Table(title, ("network", "network alone", "x", "from a frame", "x"), rows)


def thresholds_note(results: Sequence[dict[str, Any]]) -> str:
    """Return which threshold each of *results* is published with, and where."""
    cited = "; ".join(
        f"{result['name']} {result['threshold']:g} ({result['threshold_is']})" for result in results
    )
    return f"Published thresholds: {cited}."


def as_text(tables: Sequence[Table], notes: Sequence[str]) -> str:
    """Return *tables* and *notes* as aligned text."""
    parts = [f"{table.title}\n{aligned(table.head, table.rows)}" for table in tables]
    return "\n\n".join([*parts, *notes])


def as_markdown(tables: Sequence[Table], title: str, notes: Sequence[str]) -> str:
    """Return *tables* and *notes* as a Markdown document headed *title*."""
    parts = [f"# {title}"]
    for table in tables:
        lines = [_line(table.head), _line(["---", *["---:"] * (len(table.head) - 1)])]
        parts += [f"## {table.title}", "\n".join([*lines, *map(_line, table.rows)])]
    return "\n\n".join([*parts, "## How it was measured", *(f"- {note}" for note in notes)]) + "\n"


def _detection(results: Sequence[dict[str, Any]], name: str) -> Table:
    rows = []
    for result in results:
        entry = result["detection"]["ranges"][name]
        recalls = [percent(entry["labels"][label]["recall"]["value"]) for label in LABELS]
        rows.append(
            (
                result["name"], percent_interval(entry["average_precision"]),
                percent_interval(entry["recall"]), *recalls,
            )
        )
    entry, pictures = results[0]["detection"]["ranges"][name], results[0]["detection"]["pictures"]
    least = {"gate": "4", "close": "8"}[name]
    return Table(
        f"Faces from {least} % of the picture's longer side ({name}): {entry['faces']} in "
        f"{pictures} pictures, % [95 % interval]",
        ("network", "AP50", "recall at 0.1 FP", "masked", "bare", "incorrect"),
        tuple(rows),
    )


def _sources(results: Sequence[dict[str, Any]]) -> Table:
    sources = sorted(results[0]["detection"]["ranges"]["gate"]["sources"])
    rows = []
    for result in results:
        cells = [result["name"]]
        for source in sources:
            for name in ("gate", "close"):
                entry = result["detection"]["ranges"][name]["sources"][source]
                mark = " *" if source in result["trained_on"] else ""
                cells.append(
                    f"{percent(entry['average_precision'])}, {percent(entry['recall'])}{mark}"
                )
        rows.append(tuple(cells))
    head = [f"{source}, {name}" for source in sources for name in ("gate", "close")]
    return Table(
        "AP50, recall by source, %; * its training had pictures of that source",
        ("network", *head), tuple(rows),
    )


def _pairs(results: Sequence[dict[str, Any]]) -> list[Table]:
    if not results:
        return []
    found, alerts = [], []
    kinds = list(results[0]["pair"]["close_faces"])
    for result in results:
        faces = result["pair"]["close_faces"]
        wrong = result["pair"]["wrong_alerts_per_100_pictures"]
        found.append(
            (
                result["name"], f"{result['threshold']:g}", percent(faces["all"]["found"]["value"]),
                percent_interval(faces["all"]["found_and_right"]),
                *(percent(faces[kind]["found_and_right"]["value"]) for kind in kinds[1:]),
            )
        )
        alerts.append(
            (result["name"], *(_rate(wrong[name]) for name in ("masked", "nothing", "all")))
        )
    count = results[0]["pair"]["close_faces"]["all"]["faces"]
    return [
        Table(
            f"End to end: {count} close faces found and judged right, %",
            ("network", "threshold", "found", "found and right", *kinds[1:]), tuple(found),
        ),
        Table(
            "Wrong alerts per 100 pictures [95 % interval]",
            ("network", "on a masked face", "on no face", "together"), tuple(alerts),
        ),
    ]


def _closeups(results: Sequence[dict[str, Any]], level: str) -> Table:
    thresholds = {"published": "threshold", "equal": "equal_threshold"}
    shares = results[0]["closeups"]["shares"]
    rows = tuple(
        (
            result["name"],
            f"{result[thresholds[level]]:.2f}",
            *(
                percent_interval(entry["at"][level], 0)
                for entry in result["closeups"]["shares"].values()
            ),
        )
        for result in results
    )
    when = "as published" if level == "published" else "at 0.1 false positives a picture"
    return Table(
        f"From far to filling the frame: {results[0]['closeups']['faces']} close faces cropped "
        f"so that they take that share of a 4:3 frame's longer side, % found {when}",
        ("network", "at threshold", *(f"{float(share):.0%}" for share in shares)), rows,
    )


def _rate(entry: dict[str, Any]) -> str:
    if entry["value"] is None:
        return "-"
    text = f"{entry['value']:.1f}"
    return f"{text} [{entry['low']:.1f}, {entry['high']:.1f}]" if "low" in entry else text


def _decimal(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.2f}{unit}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
