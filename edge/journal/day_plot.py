"""The day drawn in a terminal: bars of people by hour, and bands of what lasted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from edge.errors import OutputError
from edge.journal.day import Day, Span

NAMES = {
    "mask": "mask", "no_mask": "no mask", "incorrect": "worn wrong", "unsure": "unsure",
    "alarm": "alarm", "camera": "camera fault", "output": "output fault",
}
# Told apart without colour too: terminals, printers and eyes differ.  From the quietest to
# the loudest, which is drawn on top.
_BARS = {"mask": "░", "unsure": ".", "incorrect": "▒", "no_mask": "█"}
# 256-colour codes nearest to Okabe and Ito's palette, as on the annotated picture.
_COLOURS = {"mask": 32, "unsure": 250, "incorrect": 227, "no_mask": 166}
_HEIGHT = 14
_MARGIN = 15
_CELLS_AN_HOUR = 2


def totals_text(day: Day) -> str:
    """Return the day's sums in two lines."""
    people = ", ".join(f"{day.total(verdict)} {NAMES[verdict]}" for verdict in _BARS)
    everyone = sum(day.total(verdict) for verdict in _BARS)
    lasted = "; ".join(
        f"{NAMES[what]} {_times(len(spans))}, {_duration(day.lasted(what))}"
        for what, spans in day.spans.items()
        if spans
    )
    return (
        f"{day.day:%A %Y-%m-%d}: {everyone} {'person' if everyone == 1 else 'people'} ({people})\n"
        f"{lasted or 'no alarm, no fault'}"
    )


def terminal_plot(day: Day, *, colour: bool = False, columns: int = 80) -> str:
    """Return *day* as text, *columns* wide (at least 64), in 256 colours if *colour*.

    Raises OutputError where plotext is not installed.
    """
    width = max(64, columns)
    parts = [totals_text(day), ""]
    if any(any(counts) for counts in day.people.values()):
        parts += [_bars(day, colour, width), _legend(), ""]
    parts.append(_bands(day))
    return "\n".join(parts)


def _bars(day: Day, colour: bool, width: int) -> str:
    plotext = _plotext()
    figure = plotext.figure
    figure.clear()
    # The terminal's own colours for everything but the bars, on dark and on light ones.
    figure.theme("colorless")
    figure.plot_size(width, _HEIGHT)
    markers = [plotext.marker(_BARS[verdict], _COLOURS[verdict]) for verdict in _BARS]
    places = list(range(len(day.hours)))
    counts = [list(day.people[verdict]) for verdict in _BARS]
    figure.draw(figure.bar(places, counts, stacked=True, marker=markers, width=0.8))
    figure.ruler("x").ticks(places, labels=list(day.hours))
    most = max(sum(hour) for hour in zip(*counts, strict=True))
    step = max(1, -(-most // 5))
    figure.ruler("y").ticks(list(range(0, most + 1, step)))
    # Half a slot more on the right: the last hour's name would not fit otherwise.
    figure.ruler("x").lim(-0.7, len(places))
    figure.title("people by the hour of the last word on them")
    text = figure.build().string(colorless=not colour)
    figure.clear()
    return "\n".join(line.rstrip() for line in str(text).splitlines())


def _legend() -> str:
    return "  " + "   ".join(f"{_BARS[verdict]} {NAMES[verdict]}" for verdict in _BARS)


def _bands(day: Day) -> str:
    """Return a line for each thing that lasted: a cell is filled when it did in that half hour."""
    cell = timedelta(hours=1) / _CELLS_AN_HOUR
    ruler = "".join(
        f"{name[:2]:<{_CELLS_AN_HOUR * 3}}" if place % 3 == 0 else ""
        for place, name in enumerate(day.hours)
    )
    lines = [f"{'':{_MARGIN}}{ruler.rstrip()}"]
    count = len(day.hours) * _CELLS_AN_HOUR
    for what, spans in day.spans.items():
        cells = "".join(
            "█" if _touched(spans, day, cell, place) else "·" for place in range(count)
        )
        lines.append(f"{NAMES[what]:<{_MARGIN}}{cells}")
    return "\n".join(lines)


def _touched(spans: tuple[Span, ...], day: Day, cell: timedelta, place: int) -> bool:
    begin = day.start + place * cell
    return any(start < begin + cell and end > begin for start, end in spans)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _plotext() -> Any:
    try:
        import plotext
    except ImportError:
        raise OutputError(
            "--plot in the terminal needs plotext, which is not installed: pip install plotext; "
            "--plot day.svg needs nothing"
        ) from None
    return plotext
