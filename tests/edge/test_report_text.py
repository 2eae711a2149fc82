"""Events, timing and the summary as people and programs read them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from edge.alerts.pins import PinChange
from edge.errors import OutputError
from edge.report.events import Event, EventLog, event_line, event_words
from edge.report.summary import (
    PersonRecord,
    PinRecord,
    Summary,
    pin_lines,
    summary_text,
    summary_values,
)
from edge.report.timing import StageTime, Stopwatch

JUDGED = Event(1.23456, "person_judged", 3, "no_mask", 0.98765, (1.04, 2.06, 3, 4))


def summary(**changes) -> Summary:
    told = Summary(
        source="film.mp4", ended="to its end", frames=100, source_seconds=4.0, wall_seconds=2.0,
        faces=90, classified=30,
        stages=(StageTime("capture", 30.0, 33.0), StageTime("detect", 1.25, 2.0)),
        people=(PersonRecord(1, "no_mask", 0.99, 0.1, 2.0, 0.4),),
        verdicts={"mask": 0, "no_mask": 1, "incorrect": 0, "unsure": 2},
        alarms=((0.5, 3.0),), alarm_count=1, remarks=("skipped a.jpg",),
        models=("face-detector 1 (0123456789ab)",), runtime="paint", threads=1,
        pins=(PinRecord("LED", 27, (PinChange(0, False),)),), pins_note="No real pins.",
        written=("out.mp4",),
    )
    return replace(told, **changes)


def test_an_event_is_one_line_of_json_with_what_is_known():
    values = json.loads(event_line(JUDGED, "mask-classifier 1"))
    assert values == {
        "time": 1.235, "event": "person_judged", "person": 3, "verdict": "no_mask",
        "confidence": 0.9877, "box": [1.0, 2.1, 3, 4], "model": "mask-classifier 1",
    }
    assert "person" not in json.loads(event_line(Event(2.0, "alarm_ended"), "m"))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (JUDGED, "    1.23 s  person 3: NO MASK (99% sure)"),
        (Event(2, "person_judged", 3, "mask", 0.9999), "    2.00 s  person 3: mask (>99% sure)"),
        (Event(2, "person_left", 3, "unsure", 0.4), "    2.00 s  person 3 left: unsure"),
        (Event(2, "alarm_started", 3, "no_mask", 0.9), "    2.00 s  ALARM for person 3"),
        (Event(2, "person_rings", 4, "no_mask", 0.9), "    2.00 s  ALARM for person 4 too"),
        (Event(2, "alarm_ended"), "    2.00 s  alarm ended"),
    ],
)
def test_an_event_reads_as_a_sentence(event, words):
    assert event_words(event) == words


def test_events_are_in_the_file_as_soon_as_they_happen(tmp_path):
    path = tmp_path / "events.jsonl"
    log = EventLog(str(path))
    log.write(JUDGED, "m")
    assert len(path.read_text().splitlines()) == 1
    log.close()


def test_an_event_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write events to .*absent"):
        EventLog(str(tmp_path / "absent" / "events.jsonl"))


def test_the_summary_names_what_a_person_asks_for():
    text = summary_text(summary())
    for part in (
        "film.mp4 (to its end)", "50.0 frames per second", "3: 1 no mask, 2 unsure",
        "1: 0.5-3.0 s", "0.40 s", "frame to outputs     1.25", "never on", "skipped a.jpg",
        "out.mp4",
    ):
        assert part in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_a_summary_of_nothing_is_a_summary():
    empty = summary(
        frames=0, wall_seconds=0.0, people=(), verdicts={}, alarms=(), alarm_count=0, stages=()
    )
    assert "0.0 frames per second" in summary_text(empty)


def test_the_summary_is_json_too():
    assert json.loads(json.dumps(summary_values(summary())))["people"][0]["verdict"] == "no_mask"


def test_beeps_are_told_as_one_line():
    times = [(0, False), (1.0, True), (1.25, False), (1.5, True), (1.75, False), (9, True)]
    lines = pin_lines(PinRecord("buzzer", 17, tuple(PinChange(t, on) for t, on in times)))
    assert lines[1].split() == ["on", "1.00", "off", "1.75", "in", "2", "pulses"]
    assert lines[2].split() == ["on", "9.00", "and", "left", "on"]


def test_stages_are_timed_between_laps():
    ticks = iter([0.0, 10.0, 10.5, 10.6, 20.0, 20.1])
    watch = Stopwatch(lambda: next(ticks))
    watch.start()
    watch.lap("detect")
    watch.lap("decide")
    watch.start()
    watch.lap("detect")
    times = {t.stage: t.mean_ms for t in watch.times()}
    assert times == {"detect": pytest.approx(300), "decide": pytest.approx(100)}
