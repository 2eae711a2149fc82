"""A benchmark as a JSON file, and back."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge.bench.figures import figures
from edge.bench.result import KIND, SCHEMA, Result
from edge.board.facts import Board
from edge.errors import OutputError, UsageError
from edge.files import write_whole

REFERENCES = Path(__file__).parent / "references"
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """What two benchmarks are compared by: where from, on what *machine*, and the *figures*."""

    path: Path
    machine: str
    taken_at: str
    maskgate: str
    models: tuple[str, ...]
    note: str
    partial: bool
    figures: Mapping[str, float]


def report_values(result: Result) -> dict[str, Any]:
    """Return *result* as values that JSON can hold, with its kind, schema and figures."""
    return {
        "kind": KIND,
        "schema": SCHEMA,
        "machine": machine_key(result.board),
        "figures": figures(result),
        **_plain(asdict(result)),
    }


def write_report(path: Path, result: Result) -> None:
    """Write *result* to *path*, whole or not at all.  Raises OutputError."""
    text = json.dumps(report_values(result), ensure_ascii=False, indent=1) + "\n"
    try:
        write_whole(path, text)
    except OSError as error:
        raise OutputError(
            f"--json: {path} cannot be written: {error.strerror or error}; name another file"
        ) from None


def read_report(path: Path) -> Report:
    """Return the benchmark in the file at *path*.

    Raises UsageError, in one line, for a file that is missing, is no benchmark, or is of
    another schema.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES)
        values = json.loads(raw)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path} cannot be read: {reason}; name a file from --json") from None
    except (ValueError, RecursionError):
        raise UsageError(f"{path} is no JSON; name a file from maskgate bench --json") from None
    if not isinstance(values, dict) or values.get("kind") != KIND:
        raise UsageError(f"{path} is no benchmark; name a file from maskgate bench --json")
    if values.get("schema") != SCHEMA:
        raise UsageError(
            f"{path} has schema {values.get('schema')!r}; this maskgate reads {SCHEMA}; measure "
            "again, or use the maskgate that wrote it"
        )
    found = values.get("figures")
    if not isinstance(found, dict) or not all(map(_is_figure, found.values())):
        raise UsageError(f"{path} has no figures that are numbers; measure again")
    return Report(
        path=path,
        machine=str(values.get("machine", "")),
        taken_at=str(values.get("taken_at", "")),
        maskgate=str(values.get("maskgate", "")),
        models=tuple(map(str, values.get("models") or ())),
        note=str(values.get("note", "")),
        partial=bool(values.get("partial")),
        figures={str(name): float(value) for name, value in found.items()},
    )


def reference_for(machine: str, folder: Path = REFERENCES) -> Report | None:
    """Return the committed benchmark of *machine*, or None when nobody measured one yet."""
    for path in sorted(folder.glob("*.json")):
        try:
            report = read_report(path)
        except UsageError:
            continue
        if report.machine == machine:
            return report
    return None


def machine_key(board: Board) -> str:
    """Return what boards of one kind have in common: the model without its revision, or, of a
    machine without a model, its processor and cores.
    """
    if board.model and (board.raspberry_pi or board.jetson):
        return re.sub(r" Rev [0-9.]+$", "", board.model)
    parts = (board.model, board.cpu, board.machine, f"{board.cores or '?'} cores")
    return ", ".join(part for part in parts if part)


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _plain(value: Any) -> Any:
    """Return *value* with every float rounded to a microsecond's worth, and none not finite."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    return value
