"""The whole walk, from pictures to pins, with networks that see paint."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge.alerts.opening import open_outputs
from edge.alerts.outputs import Outputs
from edge.alerts.pins import Pins
from edge.alerts.settings import DEFAULT_OUTPUTS
from edge.camera.frame import Frame
from edge.errors import OutputError, SourceError
from edge.gate.policy import GateState, PolicySettings
from edge.observers import Observers
from edge.report.film import Film
from edge.service import Change, Limits, Observer, run
from edge.watch import Settings, Watch
from tests.observers import Told


class Recording:
    """An output that remembers what it was told."""

    name = "recording"

    def __init__(self, fails_at: GateState | None = None) -> None:
        self.states: list[GateState | str] = []
        self.fails_at = fails_at

    def show(self, state, muted=False):
        if state is self.fails_at:
            raise RuntimeError("burnt out")
        self.states.append(state)

    def close(self):
        self.states.append("closed")


@pytest.fixture
def go(detector, classifier, source_of):
    """Run the gate over pictures; return the outcome, the events and what the output saw."""

    def go(pictures, settings=None, output=None, **options):
        output = output or Recording()
        events = []
        source = source_of(pictures)
        outcome = run(
            source, detector, classifier, Outputs([output]), settings or Settings(),
            observer=Told(events.append), **options,
        )
        assert source.closed
        return outcome, events, output.states

    return go


def test_a_bare_face_rings_until_it_has_left(go, painted):
    visit = [painted(("no_mask", 100 + i, 80, 50)) for i in range(40)]
    outcome, events, states = go(visit + [painted()] * 60)
    assert [e.event for e in events] == [
        "person_judged", "alarm_started", "person_left", "alarm_ended",
    ]
    assert states == [
        GateState.IDLE, GateState.LOOKING, GateState.ALARM, GateState.IDLE, GateState.SHUTDOWN,
        "closed",
    ]
    assert outcome.verdicts == {"mask": 0, "no_mask": 1, "incorrect": 0, "unsure": 0}
    start, end = outcome.alarms[0]
    assert start < 0.5 and 2.3 < end < 2.5


def test_a_masked_face_passes_and_time_to_verdict_is_told(go, painted):
    outcome, events, states = go([painted(("mask", 100, 80, 50))] * 40 + [painted()] * 40)
    assert GateState.PASS in states and GateState.ALARM not in states
    assert outcome.people[0].verdict == "mask"
    assert 0.1 < outcome.people[0].to_verdict <= 0.5
    assert outcome.people[0].confidence > 0.95
    assert events[0].box == pytest.approx((100, 80, 150, 130))


def test_two_people_are_judged_apart(go, painted):
    both = painted(("mask", 40, 80, 50), ("incorrect", 200, 80, 50))
    outcome, _, _ = go([both] * 30)
    assert {p.verdict for p in outcome.people} == {"mask", "incorrect"}
    assert [p.person for p in outcome.people] == [1, 2]


def test_a_few_frames_judge_nobody(go, painted):
    outcome, _, states = go([painted(("no_mask", 100, 80, 50))] * 4)
    assert outcome.people[0].verdict == "unsure" and outcome.people[0].to_verdict is None
    assert GateState.ALARM not in states


def test_a_face_too_far_away_is_neither_judged_nor_waited_for(go, painted, classifier):
    outcome, _, states = go([painted(("no_mask", 100, 80, 16))] * 40)
    assert classifier.asked == 0
    assert states == [GateState.IDLE, GateState.SHUTDOWN, "closed"]
    assert outcome.verdicts["unsure"] == 1


def test_a_mask_put_on_ends_the_alarm(go, painted):
    bare, masked = painted(("no_mask", 100, 80, 50)), painted(("mask", 100, 80, 50))
    _, events, _ = go([bare] * 30 + [masked] * 60)
    told = [e.verdict for e in events if e.event == "person_judged"]
    assert told == ["no_mask", "mask"]
    assert events[-2].event == "alarm_ended" and events[-2].time < 3


def test_a_settled_person_is_classified_only_every_few_frames(go, painted, classifier):
    outcome, _, _ = go([painted(("mask", 100, 80, 50))] * 300)
    assert 12 < outcome.classified < 90
    assert outcome.classified == classifier.asked


def test_an_alarm_ends_at_its_limit_though_the_person_stays(go, painted):
    settings = Settings(policy=PolicySettings(max_alarm_seconds=1))
    outcome, _, _ = go([painted(("no_mask", 100, 80, 50))] * 120, settings)
    assert outcome.alarm_count == 1
    assert outcome.alarms[0][1] - outcome.alarms[0][0] == pytest.approx(1, abs=0.05)


def test_what_was_seen_survives_a_camera_that_fails(go, painted):
    pictures = [painted(("no_mask", 100, 80, 50))] * 40
    outcome, events, states = go([*pictures, SourceError("camera: gone")])
    assert isinstance(outcome.error, SourceError) and outcome.ended == "ended by an error"
    assert outcome.people[0].verdict == "no_mask" and outcome.alarm_count == 1
    assert states[-1] == "closed" and events[-1].event == "alarm_ended"


def test_a_bug_is_raised_with_everything_off(
    painted, mock_pins, detector, classifier, source_of
):
    devices = open_outputs(DEFAULT_OUTPUTS, Pins(mock_pins, True, "test"))
    source = source_of([painted(("no_mask", 100, 80, 50))] * 40 + [ZeroDivisionError()])
    with pytest.raises(ZeroDivisionError):
        run(source, detector, classifier, Outputs(devices), Settings())
    assert source.closed
    for device in devices:
        assert any(change.on for change in device.history)
        assert not device.history[-1].on


def test_an_output_that_fails_ends_the_run_and_is_named(go, painted):
    pictures = [painted(("no_mask", 100, 80, 50))] * 40
    outcome, _, states = go(pictures, output=Recording(fails_at=GateState.ALARM))
    assert isinstance(outcome.error, OutputError) and "recording" in str(outcome.error)
    assert states[-1] == "closed"


@pytest.mark.parametrize(
    ("limits", "frames"), [(Limits(frames=7), 7), (Limits(seconds=0.5), 15), (Limits(), 40)]
)
def test_limits_end_a_run(go, painted, limits, frames):
    assert go([painted()] * 40, limits=limits)[0].frames == frames


def test_a_reason_to_stop_ends_the_run_after_the_frame(go, painted):
    reasons = iter(["", "", "stopped by SIGTERM"])
    outcome, _, states = go([painted()] * 40, stop=lambda: next(reasons))
    assert (outcome.frames, outcome.ended) == (3, "stopped by SIGTERM")
    assert states[-1] == "closed"


def test_an_empty_source_gives_an_empty_outcome(go):
    outcome, events, _ = go([])
    assert (outcome.frames, outcome.people, events) == (0, (), [])


def test_every_stage_is_timed(go, painted):
    outcome, _, _ = go([painted(("mask", 100, 80, 50))] * 10)
    assert [s.stage for s in outcome.stages] == [
        "capture", "detect", "track", "classify", "decide", "output", "record",
    ]
    assert all(s.mean_ms >= 0 and math.isfinite(s.p95_ms) for s in outcome.stages)


def test_memory_of_people_is_bounded_and_the_counts_are_not(
    detector, classifier, painted, monkeypatch
):
    monkeypatch.setattr("edge.watch._KEPT_PEOPLE", 20)
    watch = Watch(detector, classifier, Settings())
    picture = painted(("mask", 30, 30, 30), size=(90, 90))
    for visit in range(50):
        for i in range(3):
            now = visit * 6 + i / 30
            watch.see(Frame(picture, now, i), now)
    watch.end(now)
    assert watch.scene.people == () and watch.verdicts["unsure"] == 50
    assert [p.person for p in watch.gone] == list(range(31, 51))


def test_the_film_has_every_frame_at_the_size_of_the_first(go, painted, tmp_path):
    import cv2

    path = tmp_path / "out.mp4"
    pictures = [painted(("no_mask", 100, 80, 50))] * 20 + [painted(size=(200, 300))] * 5
    outcome, _, _ = go(pictures, film=Film(str(path), 30.0))
    assert outcome.error is None
    capture = cv2.VideoCapture(str(path))
    assert (capture.get(3), capture.get(4)) == (320, 240)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 25


def test_a_film_of_a_camera_that_drops_frames_runs_at_lifes_speed(painted, tmp_path):
    import cv2

    film = Film(str(tmp_path / "out.avi"), 20.0)
    for seconds in (0.0, 0.05, 0.1, 0.5, 0.55, 60.0, 60.05, 60.06, 60.07):
        film.write(painted(), seconds)
    film.close()
    capture = cv2.VideoCapture(str(tmp_path / "out.avi"))
    # 0 to 0.55 s is 12 frames, the minute without pictures none, 60.0 to 60.07 two or three.
    assert 14 <= capture.get(cv2.CAP_PROP_FRAME_COUNT) <= 15


def test_a_recording_that_cannot_be_written_is_told_and_the_pins_are_off(go, painted, tmp_path):
    (tmp_path / "unplugged").mkdir()
    film = Film(str(tmp_path / "unplugged" / "out.mp4"), 30.0)
    (tmp_path / "unplugged").rmdir()
    outcome, _, states = go([painted()] * 5, film=film)
    assert isinstance(outcome.error, OutputError) and states[-1] == "closed"


def test_doubtful_faces_keep_a_person_without_judging(painted, detector, classifier):
    watch = Watch(detector, classifier, Settings())
    picture = painted(("no_mask", 100, 80, 50))
    for i in range(3):
        watch.see(Frame(picture, i / 30, i), i / 30)
    asked, detector.score = classifier.asked, 0.3
    for i in range(3, 60):
        scene = watch.see(Frame(picture, i / 30, i), i / 30)
    assert classifier.asked == asked
    assert len(scene.people) == 1 and scene.people[0].track.hits == 60
    assert np.isfinite(scene.people[0].evidence.scores).all()


class Sure:
    """A classifier that is sure of one label whatever it sees."""

    def __init__(self, *probabilities):
        self.answer = np.array(probabilities, np.float32)

    def probabilities(self, image, boxes):
        return np.tile(self.answer, (len(boxes), 1))


def test_a_model_is_changed_between_two_frames_and_people_stay_who_they_are(go, painted):
    changes = iter([None] * 30 + [Change("version 2", classifier=Sure(0.98, 0.01, 0.01))])
    outcome, events, _ = go(
        [painted(("no_mask", 100, 80, 50))] * 100, change=lambda: next(changes, None)
    )
    assert [e.event for e in events][2] == "model_changed" and events[2].detail == "version 2"
    assert [e.verdict for e in events if e.event == "person_judged"] == ["no_mask", "mask"]
    assert outcome.frames == 100 and {e.person for e in events if e.person} == {1}


def test_observers_learn_of_every_frame_once_it_is_shown(
    detector, classifier, source_of, painted
):
    seen = []

    class Looks(Observer):
        def seen(self, frame, scene, now):
            seen.append((frame.sequence, scene.gate.state, output.states[-1]))

    output = Recording()
    run(
        source_of([painted(("no_mask", 100, 80, 50))] * 30), detector, classifier,
        Outputs([output]), Settings(), observer=Observers([Looks(), Observer()]),
    )
    assert [sequence for sequence, _, _ in seen] == list(range(30))
    assert all(state is shown for _, state, shown in seen)


def test_a_model_that_was_given_up_is_shown_for_a_while(go, painted):
    changes = iter([None] * 5 + [Change("version 1 is back", trouble=True)])
    _, _, states = go([painted()] * 360, change=lambda: next(changes, None))
    assert states == [
        GateState.IDLE, GateState.SOFTWARE_FAULT, GateState.IDLE, GateState.SHUTDOWN, "closed",
    ]


@pytest.mark.parametrize(("live", "people"), [(True, {1}), (False, {1, 2})])
def test_only_a_film_has_cuts(detector, classifier, source_of, painted, live, people):
    dark = painted(("no_mask", 40, 80, 50))
    lit = dark.copy()
    lit[:, 160:] = 255
    source, events = source_of([dark] * 30 + [lit] * 30), []
    source.live = live
    run(
        source, detector, classifier, Outputs([Recording()]), Settings(),
        observer=Told(events.append), limits=Limits(frames=60),
    )
    assert {e.person for e in events if e.person} == people


def test_an_alarm_goes_before_a_model_that_was_given_up(go, painted):
    changes = iter([None] * 20 + [Change("version 1 is back", trouble=True)])
    visit = [painted(("no_mask", 100 + i, 80, 50)) for i in range(60)]
    _, _, states = go(visit, change=lambda: next(changes, None))
    assert states[-3:] == [GateState.ALARM, GateState.SHUTDOWN, "closed"]
    assert GateState.SOFTWARE_FAULT not in states[states.index(GateState.ALARM) :]
