"""What happened at the gate, one JSON object a line."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from edge.errors import OutputError

EventKind = Literal[
    "person_judged",
    "person_left",
    "alarm_started",
    "person_rings",
    "alarm_ended",
    "fixture_found",
    "camera_fault",
    "camera_recovered",
    "model_changed",
]

_WORDS = {"mask": "mask", "no_mask": "NO MASK", "incorrect": "mask WORN WRONG", "unsure": "unsure"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened *time* seconds after the source's first frame.

    *person* is the number of whom it is about: judged (anew each time the verdict changes),
    gone (with the last verdict), the one who started the alarm, or one who rings in it too; None
    when an alarm ended.  Everyone who begins to ring is told, once each time, and who turns out
    to be a poster or a coat rack, once for each place.
    *box* is x0, y0, x1, y1 in pixels where the face was seen last.  *picture* is the file name
    where the source is a folder.

    *lack* says of someone who left unsure why no look at them ever counted.  *muted* marks who
    began to ring in quiet hours.

    *fault* is the name of the camera's fault, in one that began or is over; *detail* says more
    in words, also of a model that takes another's place.
    """

    time: float
    event: EventKind
    person: int | None = None
    verdict: str | None = None
    confidence: float | None = None
    box: tuple[float, float, float, float] | None = None
    picture: str = ""
    lack: str = ""
    muted: bool = False
    fault: str = ""
    detail: str = ""


def event_line(event: Event, model: str) -> str:
    """Return *event* as JSON without a line end; what is not known is left out."""
    values: dict[str, object] = {"time": round(event.time, 3), "event": event.event}
    if event.person is not None:
        values["person"] = event.person
    if event.verdict is not None:
        values["verdict"] = event.verdict
    if event.confidence is not None:
        values["confidence"] = round(event.confidence, 4)
    if event.box is not None:
        values["box"] = [round(v, 1) for v in event.box]
    if event.picture:
        values["picture"] = event.picture
    if event.lack:
        values["lack"] = event.lack
    if event.muted:
        values["muted"] = True
    if event.fault:
        values["fault"] = event.fault
    if event.detail:
        values["detail"] = event.detail
    values["model"] = model
    return json.dumps(values, ensure_ascii=False)


def event_words(event: Event) -> str:
    """Return *event* as a line for people."""
    head = f"{event.time:8.2f} s  "
    who = f"person {event.person}"
    if event.event == "alarm_started":
        return f"{head}ALARM for {who}{' (muted)' if event.muted else ''}"
    if event.event == "person_rings":
        return f"{head}ALARM for {who} too{' (muted)' if event.muted else ''}"
    if event.event == "alarm_ended":
        return f"{head}alarm ended"
    if event.event == "fixture_found":
        return f"{head}{who} never moves, and no longer counts"
    if event.event == "camera_fault":
        return f"{head}CAMERA FAULT, {event.fault}: {event.detail}"
    if event.event == "camera_recovered":
        return f"{head}camera sees again, {event.detail}"
    if event.event == "model_changed":
        return f"{head}MODEL CHANGED: {event.detail}"
    word = _WORDS.get(event.verdict or "unsure", event.verdict)
    if event.event == "person_left":
        return f"{head}{who} left: {word}{f' ({event.lack})' if event.lack else ''}"
    return f"{head}{who}: {word} ({sureness(event.confidence or 0)} sure)"


class EventLog:
    """Writes events to *path* as they happen, ``-`` being standard output.

    An older file of that name is overwritten.  Each line is handed to the system at once, so
    that a reader at the other end of a pipe is never behind.  Raises OutputError when the file
    cannot be written or the reader has gone away.
    """

    def __init__(self, path: str) -> None:
        self._name = "standard output" if path == "-" else path
        self.path = path
        self._own = path != "-"
        self._failed = False
        try:
            # File names of pictures may hold bytes that are no UTF-8.
            self._stream: TextIO = (
                Path(path).open("w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
                if self._own
                else sys.stdout
            )
        except (OSError, ValueError) as error:
            raise OutputError(
                f"cannot write events to {path}: {_reason(error)}; name a file in a "
                "folder that exists and is writable, or - for standard output"
            ) from None

    @property
    def written(self) -> bool:
        """Whether there is a file with everything in it that was to be written."""
        return self._own and not self._failed

    def write(self, event: Event, model: str) -> None:
        """Write *event*, judged by *model*."""
        try:
            self._stream.write(event_line(event, model) + "\n")
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._failed = True
            raise OutputError(
                f"cannot write events to {self._name}: {_reason(error)}"
            ) from None

    def close(self) -> None:
        """Give the file back; may be called twice."""
        if not self._own:
            return
        try:
            self._stream.close()
        except (OSError, ValueError) as error:
            # Closing tries once more to write what failed before, and that was told then.
            if not self._failed:
                self._failed = True
                raise OutputError(
                    f"cannot write events to {self._name}: {_reason(error)}"
                ) from None


def sureness(share: float) -> str:
    """Return *share*, 0 to 1, as a whole percentage; nobody is ever shown to be 100 % sure."""
    return ">99%" if share >= 0.995 else f"{share:.0%}"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
