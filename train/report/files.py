"""Tables and results of a training, written whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.files import write_whole


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write *rows* to *path* as CSV below a header of all their names, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    writer.writerows(rows)
    write_whole(path, text.getvalue())


def write_json(path: Path, value: Any) -> None:
    """Write *value* to *path* as JSON, whole or not at all."""
    text = json.dumps(value, indent=1, allow_nan=False) + "\n"
    write_whole(path, text)
