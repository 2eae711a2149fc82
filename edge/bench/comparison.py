"""Two benchmarks side by side, as a table and as bars."""

from __future__ import annotations

from edge.bench.figures import TOLERANCE, Difference, compare
from edge.bench.report_file import Report
from edge.report.tables import aligned, table

_BAR = 30
_EIGHTHS = " ▏▎▍▌▋▊▉"


def comparison_text(old: Report, new: Report) -> str:
    """Return how *new* differs from *old* as text without a line end."""
    rows = []
    for name, report in (("A", old), ("B", new)):
        partial = ", partial" if report.partial else ""
        rows.append((name, f"{report.path}: {report.machine}, maskgate {report.maskgate}, "
                           f"{report.taken_at}{partial}"))
        if report.note:
            rows.append(("", report.note))
    differences = compare(old.figures, new.figures)
    lines = aligned(rows)
    if old.machine != new.machine:
        lines.append("These are two machines: the differences are theirs, too.")
    if old.models != new.models:
        lines.append("These are not the same networks.")
    body = [_row(one) for one in differences]
    lines += ["", *table([["figure", "unit", "A", "B", "B/A", ""], *body], (2, 3, 4))]
    both = [one for one in differences if one.old is not None and one.new is not None]
    lines += ["", f"What is off by more than {TOLERANCE:.0%} is said above."]
    lines += bars(both)
    return "\n".join(lines)


def bars(differences: list[Difference]) -> list[str]:
    """Return one line for each difference: a pair of bars, the longer one the larger value."""
    shown = [one for one in differences if one.old and one.new]
    if not shown:
        return ["nothing that both have"]
    width = max(len(one.name) for one in shown)
    lines = []
    for one in shown:
        assert one.old is not None and one.new is not None  # filtered above
        most = max(one.old, one.new)
        for label, value, name in (("A", one.old, one.name), ("B", one.new, "")):
            lines.append(
                f"{name.ljust(width)} {label} {_bar(value / most)} {value:g} {one.unit}".rstrip()
            )
    return lines


def _bar(share: float) -> str:
    """Return a bar of *share* (0 to 1) of the full length, an eighth of a character fine."""
    eighths = round(8 * _BAR * min(max(share, 0.0), 1.0))
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(_BAR)


def _row(one: Difference) -> list[str]:
    change = "-" if one.change is None else f"{one.change:.2f}"
    return [one.name, one.unit, _number(one.old), _number(one.new), change,
            "" if one.judgement == "same" else one.judgement]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
