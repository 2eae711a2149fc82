"""The gate at work: frame after frame from the source to the outputs, measured and reported."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.alerts.outputs import Outputs
from edge.camera.frame import Source, remarks_of
from edge.errors import MaskgateError
from edge.gate import decision
from edge.gate.policy import GateState
from edge.report.events import Event
from edge.report.film import Film
from edge.report.overlay import GateStatus, PersonView, draw_people
from edge.report.summary import PersonRecord
from edge.report.timing import StageTime, Stopwatch
from edge.vision.crop import Image
from edge.watch import Classifier, Detector, Scene, Settings, Watch

_KEPT_ALARMS = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """Where to stop early: after *frames*, or *seconds* of the source's time; None is nowhere."""

    frames: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to; *error* is what ended it when that was not planned.

    *ended* says in words why it ended.  *people* are the newest of those seen, *verdicts*
    counts all of them; *alarms* are the newest (start, end) of *alarm_count*, in seconds of
    the source's time.
    """

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
    error: MaskgateError | None = None


def run(
    source: Source,
    detector: Detector,
    classifier: Classifier,
    outputs: Outputs,
    settings: Settings,
    *,
    film: Film | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    limits: Limits = Limits(),
    stop: Callable[[], str] = lambda: "",
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Run the gate until *source* ends, *limits* are reached, or *stop* gives a reason.

    Whatever happens, outputs are off, the film is finished and the source is closed when this
    returns or raises.  An error that maskgate raises on purpose is returned in the outcome,
    so that what was seen until then is not lost; anything else is a bug and raised.
    """
    stopwatch = Stopwatch(clock)
    watch = Watch(detector, classifier, settings, stopwatch)
    alarms = _Alarms()
    frames, now, ended = 0, 0.0, ""
    first: float | None = None
    error: MaskgateError | None = None
    began = clock()

    def tell(scene: Scene) -> None:
        alarms.note(scene.events)
        for event in scene.events:
            on_event(event)

    try:
        with outputs:
            while not ended:
                stopwatch.start()
                frame = source.read(settings.read_timeout)
                if frame is None:
                    ended = stop() or "to its end"
                    break
                first = frame.timestamp if first is None else first
                if limits.seconds is not None and frame.timestamp - first >= limits.seconds:
                    ended = f"stopped after {limits.seconds:g} s"
                    break
                now = frame.timestamp - first
                stopwatch.lap("capture")
                scene = watch.see(frame, now)
                outputs.show(scene.gate.state, scene.gate.newest_ring)
                # Told and recorded last: a slow disk or reader must not delay the light.
                stopwatch.lap("output")
                tell(scene)
                frames += 1
                if film is not None:
                    rate = frames / max(clock() - began, 1e-9) if frames > 10 else None
                    film.write(annotate(frame.image, scene, settings, rate), now)
                stopwatch.lap("record")
                if limits.frames is not None and frames >= limits.frames:
                    ended = f"stopped after {frames} frames"
                ended = stop() or ended
            outputs.show(GateState.IDLE)
    except MaskgateError as reason:
        error, ended = reason, "ended by an error"
    finally:
        wall = clock() - began
        source.close()
        error = _finish(film, error)
    try:
        tell(watch.end(now))
    except MaskgateError as reason:
        error = error or reason
    return Outcome(
        ended=ended,
        frames=frames,
        source_seconds=now,
        wall_seconds=wall,
        faces=watch.faces,
        classified=watch.classified,
        stages=stopwatch.times(),
        people=tuple(sorted(watch.gone, key=lambda person: person.person)),
        verdicts={str(verdict): count for verdict, count in watch.verdicts.items()},
        alarms=tuple(alarms.spans),
        alarm_count=alarms.count,
        remarks=remarks_of(source),
        error=error,
    )


def annotate(image: Image, scene: Scene, settings: Settings, rate: float | None) -> Image:
    """Return a copy of *image* with the people seen in it and the gate's state drawn on it.

    *rate* is the frames per second to show, None for none.
    """
    views = [
        PersonView(
            track_id=p.number,
            box=p.track.box,
            verdict=p.evidence.verdict,
            confidence=decision.confidence(p.evidence),
            evidence=decision.leaning(p.evidence, settings.decision),
        )
        for p in scene.people
        if p.number is not None and p.track.face is not None
    ]
    return draw_people(image, views, GateStatus(scene.gate.state.value, "", rate))


class _Alarms:
    """The newest alarms as (start, end), and how many there were."""

    def __init__(self) -> None:
        self.spans: deque[tuple[float, float]] = deque(maxlen=_KEPT_ALARMS)
        self.count = 0
        self._started = 0.0

    def note(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.event == "alarm_started":
                self._started = event.time
                self.count += 1
            elif event.event == "alarm_ended":
                self.spans.append((self._started, event.time))


def _finish(film: Film | None, error: MaskgateError | None) -> MaskgateError | None:
    """Finish *film*; return *error*, or what went wrong now when there was none."""
    try:
        if film is not None:
            film.close()
    except MaskgateError as reason:
        return error or reason
    return error
