"""Those who are told of each step: the watchdog, the journal, updates, a broker."""

from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace

import numpy as np
import pytest

from edge.camera.fault import Fault
from edge.camera.frame import Frame
from edge.gate.policy import Gate, GateState
from edge.heartbeat import Heartbeat, HeartbeatSettings
from edge.journal.journal import Journal
from edge.journal.pictures import Pictures
from edge.journal.query import Filter, Reader
from edge.journal.settings import JournalSettings, PictureSettings
from edge.modelstore.state import Note
from edge.observers import Alive, Broadcaster, Keeper, Updates
from edge.report.events import Event
from edge.watch import Scene

FRAME = Frame(np.full((120, 160, 3), 90, np.uint8), 0.0, 0)
NOW = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)
NETWORKS = SimpleNamespace(words=("detector 1", "classifier 4"))
JUDGED = Event(1.0, "person_judged", 3, "no_mask", 0.99, box=(40.0, 30.0, 90.0, 90.0))


class Manager:
    """Remembers what systemd was told."""

    watchdog = 20.0

    def __init__(self):
        self.pets = 0
        self.texts = []

    def pet(self):
        self.pets += 1

    def status(self, text):
        self.texts.append(text)


@pytest.fixture
def alive():
    """An Alive whose clock is a list, with what it told."""
    now, manager, given_up = [0.0], Manager(), []
    guard = SimpleNamespace(alive=lambda: None)
    heartbeat = Heartbeat(HeartbeatSettings(camera_patience_seconds=60), 20.0)
    observer = Alive(heartbeat, manager, guard, lambda: given_up.append(now[0]), lambda: now[0])
    return SimpleNamespace(observer=observer, now=now, manager=manager, given_up=given_up)


def test_frames_pet_the_watchdog_four_times_in_its_period(alive):
    for tenth in range(400):
        alive.now[0] = tenth / 10
        alive.observer.seen(FRAME, Scene(), alive.now[0])
    assert alive.manager.pets == 8 and alive.manager.texts == ["idle"]


def test_a_camera_that_stays_away_is_given_up_once_and_no_longer_petted_for(alive):
    for second in range(200):
        alive.now[0] = float(second)
        alive.observer.blind(Fault("unplugged", 0.0, 0.0, "check the cable"), alive.now[0])
    assert alive.given_up == [61.0] and alive.manager.pets == 13
    alive.observer.seen(FRAME, Scene(gate=Gate(GateState.PASS)), 200.0)
    assert alive.manager.texts[-1] == "pass"


def test_a_covered_lens_is_no_reason_to_start_anew(alive):
    for second in range(200):
        alive.now[0] = float(second)
        alive.observer.blind(Fault("black", 0.0, 0.0, "uncover it"), alive.now[0])
    assert not alive.given_up and alive.manager.pets == 40


def test_events_are_kept_with_the_model_and_the_name_of_their_picture(tmp_path):
    journal = Journal(JournalSettings(file=str(tmp_path / "j.db")), print, clock=lambda: NOW)
    pictures = Pictures(
        PictureSettings(enabled=True, folder=str(tmp_path / "evidence")), print, clock=lambda: NOW
    )
    keeper = Keeper(journal, pictures, NETWORKS, lambda: NOW)
    keeper.seen(FRAME, Scene(events=(JUDGED,)), 1.0)
    keeper.event(JUDGED)
    keeper.event(Event(2.0, "alarm_ended"))
    assert pictures.close(20) and journal.close(20)
    with Reader(tmp_path / "j.db") as reader:
        judged, ended = reader.entries(Filter())
    assert judged.model == "classifier 4" and (tmp_path / "evidence" / judged.evidence).is_file()
    assert ended.evidence == "" and ended.kind == "alarm_ended"


def test_every_face_but_the_one_that_was_judged_is_hidden():
    mine, doubtful, unseen = JUDGED.box, (95.0, 30.0, 140.0, 90.0), (5.0, 5.0, 30.0, 30.0)
    people = [
        SimpleNamespace(number=3, track=SimpleNamespace(box=mine)),
        SimpleNamespace(number=None, track=SimpleNamespace(box=unseen)),
    ]
    hidden = []
    pictures = SimpleNamespace(take=lambda event, at, image, others: hidden.extend(others))
    keeper = Keeper(None, pictures, NETWORKS, lambda: NOW)
    scene = Scene(people=people, events=(JUDGED,), faces=(mine, doubtful))
    keeper.seen(FRAME, scene, 1.0)
    assert sorted(hidden) == [unseen, doubtful]


def test_what_happens_to_models_is_told_and_kept(tmp_path):
    notes = [(Note(1, "", "model_refused", "new.tflite is damaged"),), ()]
    networks = SimpleNamespace(
        words=NETWORKS.words, notes=lambda: notes.pop(0), saw=lambda scene: None
    )
    journal = Journal(JournalSettings(file=str(tmp_path / "j.db")), print, clock=lambda: NOW)
    said = []
    updates = Updates(networks, journal, said.append)
    updates.waiting()
    updates.seen(FRAME, Scene(), 1.0)
    assert journal.close(20) and said == ["new.tflite is damaged"]
    with Reader(tmp_path / "j.db") as reader:
        assert [entry.kind for entry in reader.entries(Filter())] == ["model_refused"]


def test_a_model_is_installed_in_the_journal_before_it_is_changed_to(tmp_path):
    notes = [(Note(1, "", "model_installed", "classifier 5 is on probation"),)]
    networks = SimpleNamespace(words=NETWORKS.words, notes=lambda: notes.pop(0))
    journal = Journal(JournalSettings(file=str(tmp_path / "j.db")), print, clock=lambda: NOW)
    for observer in (Updates(networks, journal, print), Keeper(journal, None, networks)):
        observer.event(Event(1.0, "model_changed"))
    assert journal.close(20)
    with Reader(tmp_path / "j.db") as reader:
        kinds = [entry.kind for entry in reader.entries(Filter())]
    assert kinds == ["model_installed", "model_changed"]


def test_a_broker_hears_of_people_and_of_the_frame_rate():
    told, measured, now = [], [], [0.0]
    broker = SimpleNamespace(tell=told.append, measure=lambda *what: measured.append(what))
    observer = Broadcaster(broker, NETWORKS, lambda: now[0])
    for frame in range(301):
        now[0] = frame / 30
        observer.seen(FRAME, Scene(), now[0])
    observer.event(JUDGED)
    assert told == [JUDGED] and measured == [(pytest.approx(30.1), "classifier 4")]
