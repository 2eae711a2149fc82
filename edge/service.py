"""The gate at work: frame after frame from the source to the outputs, measured and reported."""

from __future__ import annotations

import datetime
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.alerts.outputs import Outputs
from edge.camera.fault import Fault
from edge.camera.frame import Frame, Source, remarks_of
from edge.errors import MaskgateError
from edge.gate import decision
from edge.gate.fixtures import Fixtures
from edge.gate.policy import GateState
from edge.report.events import Event
from edge.report.film import Film
from edge.report.overlay import GateStatus, PersonView, draw_people
from edge.report.summary import PersonRecord
from edge.report.timing import StageTime, Stopwatch
from edge.vision.crop import Image
from edge.watch import Classifier, Detector, Scene, Settings, Watch

_KEPT_ALARMS = 100
# So long is shown that a model was given up: somebody may look up, and nobody waits.
_TROUBLE_SHOWN = 10.0  # seconds
# A camera may deliver nothing for seconds; whoever wants the gate to stop does not wait so long.
_LONGEST_WAIT = 0.25  # seconds
# Who was let pass is not let pass for ever where no picture comes and none is overdue yet.  A
# slow camera is given two of its pauses.
_STALE = 1.5  # seconds
_STALE_PAUSES = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Where to stop early: after *frames*, or *seconds* of the source's time; None is nowhere."""

    frames: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What the gate uses from the next frame on; None is what it used before.

    *detail* says in words what changed of the models, and is told.  *trouble* marks a change
    back from what did not do well: the outputs show a software fault for a while, unless
    somebody rings.
    """

    detail: str = ""
    trouble: bool = False
    detector: Detector | None = None
    classifier: Classifier | None = None
    settings: Settings | None = None


class Observer:
    """Learns of every step, in the loop's own thread, after the outputs have shown it.

    What a step takes delays the next frame, so each method returns at once; what is slow, a
    disk or a network, belongs on a thread of its own.  This one does nothing: override what
    matters.  *now* is in seconds of the source's time.
    """

    def seen(self, frame: Frame, scene: Scene, now: float) -> None:
        """A fresh frame was processed."""

    def blind(self, fault: Fault, now: float) -> None:
        """The camera is at *fault*, and still is."""

    def waiting(self) -> None:
        """Nothing has come from a camera yet, and it is too early to call that a fault."""

    def event(self, event: Event) -> None:
        """Something happened that a journal would keep."""


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
    observer: Observer | None = None,
    limits: Limits = Limits(),
    room: Fixtures | None = None,
    stop: Callable[[], str] = lambda: "",
    change: Callable[[], Change | None] = lambda: None,
    failed: Callable[[Exception], bool] = lambda error: False,
    clock: Callable[[], float] = time.perf_counter,
    time_of_day: Callable[[], datetime.time] = lambda: datetime.datetime.now().time(),
) -> Outcome:
    """Run the gate until *source* ends, *limits* are reached, or *stop* gives a reason.

    While a camera is at fault the outputs show that, and nobody is there: whoever was seen
    before has left, and is judged anew by what is seen afterwards.  *room* is what is known from
    before to be no person.  *time_of_day* is the local time, for quiet hours.  *change* is asked
    between two frames: no frame is lost, and people stay who they are.  When a network raises,
    *failed* is asked whether another will take its place; then that frame is lost and the run
    goes on.

    Whatever happens, the film is finished and the source is closed when this returns or raises,
    and the outputs are off, unless somebody goes on with them (:meth:`Outputs.hand_on`).  An
    error that maskgate raises on purpose is returned in the outcome, so that what was seen until
    then is not lost; anything else is a bug and raised.
    """
    observer = observer or Observer()
    stopwatch = Stopwatch(clock)
    watch = Watch(detector, classifier, settings, stopwatch, room, cuts=not source.live)
    alarms = _Alarms()
    faults = _Faults()
    wait = min(settings.read_timeout, _LONGEST_WAIT) if source.live else settings.read_timeout
    frames, now, ended = 0, 0.0, ""
    trouble_until = 0.0
    first: float | None = None
    error: MaskgateError | None = None
    began = clock()
    freshness = _Freshness()

    def quiet() -> bool:
        hours = settings.policy.quiet_hours
        return hours is not None and hours.hold(time_of_day())

    def tell(scene: Scene) -> None:
        alarms.note(scene.events)
        for event in scene.events:
            observer.event(event)

    try:
        with outputs:
            while not ended:
                stopwatch.start()
                seen = source.read(wait)
                if seen is None:
                    if source.live:
                        observer.waiting()
                        if freshness.over(clock()) and outputs.state is GateState.PASS:
                            outputs.show(GateState.LOOKING, muted=quiet())
                    ended = stop() or ("" if source.live else "to its end")
                    continue
                first = seen.timestamp if first is None else first
                # A fault is told by who waits for a frame, which may be older than the telling.
                at = max(now, seen.timestamp - first)
                if limits.seconds is not None and at >= limits.seconds:
                    ended = f"stopped after {limits.seconds:g} s"
                    break
                now = at
                if isinstance(seen, Fault):
                    new = faults.note(seen, now)
                    outputs.show(GateState.CAMERA_FAULT, faults.began, quiet())
                    if new:
                        tell(watch.end(now))
                        observer.event(
                            Event(now, "camera_fault", fault=seen.name, detail=seen.detail)
                        )
                    observer.blind(seen, now)
                    ended = stop()
                    continue
                recovered = faults.over(now)
                stopwatch.lap("capture")
                changed = change()
                if changed is not None:
                    settings = changed.settings or settings
                    watch.use(changed.detector, changed.classifier, settings)
                    if changed.detail:
                        observer.event(Event(now, "model_changed", detail=changed.detail))
                    trouble_until = now + _TROUBLE_SHOWN if changed.trouble else trouble_until
                try:
                    scene = watch.see(seen, now, time_of_day())
                except Exception as reason:  # a native library raises what it likes
                    if not failed(reason):
                        raise
                    ended = stop()
                    continue
                gate = scene.gate
                if now < trouble_until and gate.state is not GateState.ALARM:
                    outputs.show(GateState.SOFTWARE_FAULT, muted=gate.muted)
                else:
                    outputs.show(gate.state, gate.newest_ring, gate.muted)
                freshness.note(clock())
                # Told and recorded last: a slow disk or reader must not delay the light.
                stopwatch.lap("output")
                observer.seen(seen, scene, now)
                if recovered is not None:
                    observer.event(recovered)
                tell(scene)
                frames += 1
                if film is not None:
                    rate = frames / max(clock() - began, 1e-9) if frames > 10 else None
                    film.write(annotate(seen.image, scene, settings, rate), now)
                stopwatch.lap("record")
                if limits.frames is not None and frames >= limits.frames:
                    ended = f"stopped after {frames} frames"
                ended = stop() or ended
            # While the outputs are there: a broker learns of those who leave, too.
            tell(watch.end(now))
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
        remarks=remarks_of(source) + faults.remarks(now),
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
            lack=p.lack,
        )
        for p in scene.people
        if p.number is not None and p.track.face is not None
    ]
    text = "muted" if scene.gate.muted else ""
    return draw_people(image, views, GateStatus(scene.gate.state.value, text, rate))


class _Freshness:
    """Whether what was last seen is still so, by when frames came, in seconds of one clock."""

    def __init__(self) -> None:
        self._newest: float | None = None
        self._pause = 0.0

    def note(self, now: float) -> None:
        """Note that a frame was processed."""
        self._pause = 0.0 if self._newest is None else now - self._newest
        self._newest = now

    def over(self, now: float) -> bool:
        """Return whether the newest frame is too old to let anybody pass by it."""
        if self._newest is None:
            return False
        return now - self._newest > max(_STALE, _STALE_PAUSES * self._pause)


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


class _Faults:
    """The fault that lasts, if one does, and what there were, in seconds of the run."""

    def __init__(self) -> None:
        self._fault: Fault | None = None
        self._began = 0.0
        self._count = 0
        self._seconds = 0.0
        self._names: dict[str, int] = {}

    def note(self, fault: Fault, now: float) -> bool:
        """Note that *fault* lasts; return whether it is another than before."""
        before, self._fault = self._fault, fault
        if before is None:
            self._began = now
            self._count += 1
        new = before is None or (before.name, before.since) != (fault.name, fault.since)
        if new:
            self._names[fault.name] = self._names.get(fault.name, 0) + 1
        return new

    @property
    def began(self) -> float:
        """When the fault that lasts began, or the one before it that it followed at once."""
        return self._began

    def over(self, now: float) -> Event | None:
        """Note that there is a picture; return what to tell if there was none before."""
        fault, self._fault = self._fault, None
        if fault is None:
            return None
        took = now - self._began
        self._seconds += took
        detail = f"after {took:.1f} s ({fault.name})"
        return Event(now, "camera_recovered", fault=fault.name, detail=detail)

    def remarks(self, now: float) -> tuple[str, ...]:
        """Return a line about all faults, if there were any."""
        if not self._count:
            return ()
        lasting = self._fault is not None
        seconds = self._seconds + (now - self._began if lasting else 0.0)
        names = ", ".join(
            name if count == 1 else f"{name} {count} times" for name, count in self._names.items()
        )
        times = "once" if self._count == 1 else f"{self._count} times"
        return (
            f"the camera was at fault {times}, {seconds:.1f} s in all: {names}"
            + ("; it still was at the end" if lasting else ""),
        )


def _finish(film: Film | None, error: MaskgateError | None) -> MaskgateError | None:
    """Finish *film*; return *error*, or what went wrong now when there was none."""
    try:
        if film is not None:
            film.close()
    except MaskgateError as reason:
        return error or reason
    return error
