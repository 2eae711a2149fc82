"""A steady source never blocks its reader, whatever the driver does, and leaves nothing behind."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from edge.camera import remarks_of
from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.camera.scripted import ScriptedCamera
from edge.camera.steady import SteadySource
from edge.errors import SourceError

SOON = 5.0  # seconds; a bound for a machine that is busy, not a time that passes


class Handed:
    """A camera whose pictures come when the test hands them out; until then a read hangs."""

    frames_per_second = 30.0

    def __init__(self) -> None:
        self.ready = threading.Semaphore(0)
        self.answers: list = []
        self.asked = threading.Semaphore(0)
        self.closed = threading.Event()
        self.closer: threading.Thread | None = None

    def give(self, *answers) -> None:
        for answer in answers:
            self.answers.append(answer)
            self.ready.release()

    def read(self):
        self.asked.release()
        self.ready.acquire()
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self) -> None:
        self.closer = threading.current_thread()
        self.closed.set()


class Owner:
    """Opens a new camera each time, and owns the clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.opened: list[Handed] = []
        self.opening = threading.Semaphore(0)
        self.fails: Exception | None = None
        self.sources: list[SteadySource] = []

    def open(self):
        if self.fails:
            raise self.fails
        self.opened.append(Handed())
        self.opening.release()
        return self.opened[-1]

    def source(self, closing_seconds: float = 0.1, **options) -> SteadySource:
        source = SteadySource(
            self.open, "door", advice="check it", clock=lambda: self.now,
            pause=lambda seconds: time.sleep(0.001), closing_seconds=closing_seconds, **options,
        )
        self.sources.append(source)
        return source


@pytest.fixture
def owner():
    owner = Owner()
    yield owner
    for source in owner.sources:
        source.close()
    for camera in owner.opened:
        camera.give(None)
        assert camera.closed.wait(SOON)


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)


def test_only_the_newest_picture_is_kept_and_older_ones_count_as_dropped(owner):
    source = owner.source()
    camera = owner.opened[0]
    camera.give(*[picture(i) for i in range(5)])
    for _ in range(6):  # the sixth read begins when the fifth picture has been put down
        assert camera.asked.acquire(timeout=SOON)
    frame = source.read(0)
    assert isinstance(frame, Frame) and np.array_equal(frame.image, picture(4))
    assert (frame.sequence, source.dropped, frame.timestamp) == (4, 4, 100.0)
    assert source.read(0) is None


def test_a_reader_gets_a_stall_while_the_driver_hangs_and_the_picture_when_it_comes(owner):
    source = owner.source()
    owner.now += 2.9
    assert source.read(0) is None
    owner.now += 0.2
    fault = source.read(0)
    assert isinstance(fault, Fault) and (fault.name, fault.since) == ("stalled", 100.0)
    assert fault.detail == "door: no picture for 3 s; check it"
    owner.opened[0].give(picture(0))
    assert isinstance(source.read(SOON), Frame)
    assert source.read(0) is None


def test_a_fault_is_told_at_once_and_then_for_as_long_as_it_lasts(owner):
    source = owner.source()
    owner.now += 4
    began = time.monotonic()
    first = source.read(60)
    assert time.monotonic() - began < SOON
    owner.now += 1
    again = source.read(0)
    assert (first.since, first.timestamp, again.timestamp) == (100.0, 104.0, 105.0)


def test_a_picture_from_before_the_fault_is_not_given_after_it(owner):
    source = owner.source()
    camera = owner.opened[0]
    camera.give(picture(0))
    for _ in range(2):
        assert camera.asked.acquire(timeout=SOON)
    owner.now += 4
    assert isinstance(source.read(0), Fault)
    assert isinstance(source.read(0), Fault) and source.dropped == 1


def test_a_driver_that_hangs_for_good_is_left_and_the_camera_opened_beside_it(owner):
    source = owner.source()
    owner.now += 16
    assert isinstance(source.read(0), Fault)
    for _ in range(2):
        assert owner.opening.acquire(timeout=SOON)
    hung, fresh = owner.opened
    hung.give(picture(0))
    assert hung.closed.wait(SOON)
    assert isinstance(source.read(0), Fault)
    fresh.give(picture(1))
    frame = source.read(SOON)
    assert isinstance(frame, Frame) and np.array_equal(frame.image, picture(1))


def test_a_driver_that_swallows_every_handle_gets_no_more_than_three(owner):
    source = owner.source()
    for _ in range(6):
        owner.now += 16
        assert isinstance(source.read(0.02), Fault)
        owner.opening.acquire(timeout=0.2)
    assert len(owner.opened) <= 3


def test_closing_does_not_wait_for_a_hanging_driver_and_says_so(owner):
    source = owner.source()
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < SOON
    assert remarks_of(source) == (
        "door: its driver did not come back within 0.1 s; one handle is left open",
    )
    assert source.read(0) is None


def test_a_handle_is_closed_by_the_thread_that_reads_it(owner):
    source = owner.source(closing_seconds=SOON)
    camera = owner.opened[0]
    camera.give(picture(0), *[None] * 10_000)
    source.read(SOON)
    source.close()
    assert camera.closed.wait(SOON) and camera.closer is not threading.current_thread()
    assert remarks_of(source) == ()


def test_a_camera_that_is_not_there_at_the_start_is_an_error_or_waited_for(owner):
    owner.fails = SourceError("door: no such camera")
    with pytest.raises(SourceError, match=r"^door: no such camera$"):
        owner.source()
    source = owner.source(patient=True)
    fault = source.read(SOON)
    assert isinstance(fault, Fault)
    assert (fault.name, fault.detail) == ("unplugged", "door: no such camera")
    owner.fails = None
    assert owner.opening.acquire(timeout=SOON)
    owner.opened[0].give(picture(0))
    while isinstance(seen := source.read(SOON), Fault):
        pass
    assert isinstance(seen, Frame) and source.frames_per_second == 30.0


def test_a_driver_that_raises_is_quoted_with_what_to_check(owner):
    source = owner.source(patient=True)
    assert owner.opening.acquire(timeout=SOON)
    camera = owner.opened[0]
    camera.give(RuntimeError("bus error"))
    for _ in range(2):
        assert camera.asked.acquire(timeout=SOON)
    owner.now += 1
    camera.give(RuntimeError("bus error"))
    fault = source.read(SOON)
    assert isinstance(fault, Fault)
    assert fault.detail == "door: cannot be read (RuntimeError: bus error); check it"


def test_a_bug_in_the_thread_reaches_the_reader(owner, monkeypatch):
    monkeypatch.setattr("edge.camera.health.glance_at", lambda image: 1 / 0)
    source = owner.source()
    owner.opened[0].give(picture(0))
    with pytest.raises(ZeroDivisionError):
        source.read(SOON)


def test_no_thread_is_left_behind_in_real_time():
    camera = ScriptedCamera([(0.1, "picture"), (0.8, "unplug"), (9, "picture")])
    source = SteadySource(camera.open, "scripted")
    seen = set()
    until = time.monotonic() + 2 * SOON
    while time.monotonic() < until:
        news = source.read(0.2)
        seen.add(news.name if isinstance(news, Fault) else type(news).__name__)
        if "unplugged" in seen and isinstance(news, Frame):
            break
    source.close()
    assert {"Frame", "unplugged"} <= seen and isinstance(news, Frame)
    assert not [t for t in threading.enumerate() if t.name == "capture scripted"]
    assert [d.what for d in camera.done][-1] == "closed"
