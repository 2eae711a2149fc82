"""What a run came to, as text for people and as plain values for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from edge.alerts.pins import PinChange
from edge.report.events import sureness
from edge.report.tables import aligned, table
from edge.report.timing import StageTime

_WORDS = {"mask": "mask", "no_mask": "no mask", "incorrect": "worn wrong", "unsure": "unsure"}
_SHOWN_PEOPLE = 40
# Waiting for the source, and writing things down once the outputs show what is so.
_BEFORE_AND_AFTER = ("capture", "record")


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """One person: from *first_seen* to *last_seen*, and the last *verdict*.

    *to_verdict* is the time from the first look to the first verdict, None without one.
    All times are seconds of the source's time.  *lack* says why no look at them ever counted.
    """

    person: int
    verdict: str
    confidence: float
    first_seen: float
    last_seen: float
    to_verdict: float | None
    picture: str = ""
    lack: str = ""


@dataclass(frozen=True, slots=True)
class PinRecord:
    """What a pin did: *history* is empty for a real pin, which keeps none."""

    name: str
    pin: int
    history: tuple[PinChange, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """One run.  *people* are the newest of those seen; *verdicts* counts them all.

    *source_seconds* is how much of the source's time was seen, *wall_seconds* how long that
    took.  *alarms* are (start, end) in the source's time.
    """

    source: str
    ended: str
    frames: int
    source_seconds: float
    wall_seconds: float
    faces: int
    classified: int
    stages: tuple[StageTime, ...]
    people: tuple[PersonRecord, ...]
    verdicts: dict[str, int]
    alarms: tuple[tuple[float, float], ...]
    alarm_count: int
    remarks: tuple[str, ...]
    models: tuple[str, ...]
    runtime: str
    threads: int
    pins: tuple[PinRecord, ...]
    pins_note: str
    written: tuple[str, ...]

    @property
    def frames_per_second(self) -> float:
        """Frames processed per second of wall time, 0 for none."""
        return self.frames / self.wall_seconds if self.wall_seconds > 0 else 0.0


def summary_values(summary: Summary) -> dict[str, object]:
    """Return *summary* as values that JSON can hold."""
    return asdict(summary) | {"frames_per_second": round(summary.frames_per_second, 2)}


def summary_text(summary: Summary) -> str:
    """Return *summary* as aligned text of several lines, without a line end."""
    people = sum(summary.verdicts.values())
    counts = ", ".join(
        f"{count} {_WORDS[verdict]}" for verdict, count in summary.verdicts.items() if count
    )
    rows = [
        ("source", f"{summary.source} ({summary.ended})"),
        (
            "frames",
            f"{summary.frames} in {summary.wall_seconds:.1f} s: {summary.frames_per_second:.1f} "
            f"frames per second ({summary.source_seconds:.1f} s of the source)",
        ),
        ("faces", f"{summary.faces} found, {summary.classified} classified"),
        ("people", f"{people}: {counts}" if people else "none"),
        ("alarms", _alarms(summary)),
        *(("model", model) for model in summary.models),
        ("runtime", f"{summary.runtime}, {_plural(summary.threads, 'thread')}"),
        ("outputs", summary.pins_note),
        *(("written", path) for path in summary.written),
        *(("remark", remark) for remark in summary.remarks),
    ]
    parts = ["Summary", *aligned([row for row in rows if row[1]])]
    if summary.people:
        parts += ["", *_people_table(summary.people, people)]
    if summary.stages:
        parts += ["", *_stage_table(summary.stages)]
    for pin in summary.pins:
        if pin.history:
            parts += ["", *pin_lines(pin)]
    return "\n".join(parts)


def pin_lines(pin: PinRecord) -> list[str]:
    """Return what a recording *pin* did, beeps less than a second apart as one line."""
    title = f"{pin.name} on GPIO {pin.pin} (mock), seconds since the start"
    spans: list[tuple[float, float, int]] = []
    started: float | None = None
    for change in pin.history:
        if change.on and started is None:
            started = change.seconds
        elif not change.on and started is not None:
            if spans and started - spans[-1][1] < 1:
                spans[-1] = (spans[-1][0], change.seconds, spans[-1][2] + 1)
            else:
                spans.append((started, change.seconds, 1))
            started = None
    lines = [
        f"  on {start:8.2f}  off {end:8.2f}" + (f"  in {count} pulses" if count > 1 else "")
        for start, end, count in spans
    ]
    if started is not None:
        lines.append(f"  on {started:8.2f}  and left on")
    return [title, *(lines or ["  never on"])]


def _alarms(summary: Summary) -> str:
    if not summary.alarm_count:
        return "none"
    shown = ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in summary.alarms)
    return f"{summary.alarm_count}: {shown}"


def _people_table(people: Sequence[PersonRecord], total: int) -> list[str]:
    pictures = any(p.picture for p in people)
    head = ["person", "verdict", "sure", "to verdict", "seen"] + (["picture"] if pictures else [])
    rows = []
    for p in people[-_SHOWN_PEOPLE:]:
        decided = p.verdict != "unsure"
        rows.append(
            [
                str(p.person),
                _WORDS.get(p.verdict, p.verdict) + ("" if decided or not p.lack else f": {p.lack}"),
                sureness(p.confidence) if decided else "-",
                f"{p.to_verdict:.2f} s" if p.to_verdict is not None else "-",
                f"{p.first_seen:.1f}-{p.last_seen:.1f} s",
            ]
            + ([p.picture] if pictures else [])
        )
    lines = table([head, *rows], right=(0, 2, 3, 4))
    if total > len(rows):
        lines.append(f"and {total - len(rows)} before them")
    return lines


def _stage_table(stages: Sequence[StageTime]) -> list[str]:
    rows = [["stage", "mean ms", "p95 ms"]]
    rows += [[s.stage, f"{s.mean_ms:.2f}", f"{s.p95_ms:.2f}"] for s in stages]
    worked = sum(s.mean_ms for s in stages if s.stage not in _BEFORE_AND_AFTER)
    rows.append(["frame to outputs", f"{worked:.2f}", ""])
    return table(rows, right=(1, 2))


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")
