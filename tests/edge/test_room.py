"""What never moves is known over a start of the gate, whatever becomes of the file."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alerts.outputs import Outputs
from edge.cli import main
from edge.errors import EXIT_OK
from edge.gate.fixtures import MOST_PLACES, Fixtures, Place, update
from edge.gate.policy import PolicySettings
from edge.observers import Observers, Surveyor
from edge.room import Room, fixtures_file
from edge.service import run
from edge.watch import Settings
from tests.observers import Told

CAMERA = "v4l2:///dev/video0"
POSTER, SCREEN = (0.1, 0.1, 0.2, 0.3), (0.6, 0.1, 0.7, 0.3)
PLACE = {"box": list(POSTER), "unseen_seconds": 5.0}


@pytest.fixture
def room(tmp_path):
    """Open the room of tmp_path/fixtures.json; what is wrong goes to its list *told*."""
    opened = []

    def open_(camera=CAMERA, file=tmp_path / "fixtures.json"):
        told: list[str] = []
        opened.append(Room(file, camera, told.append))
        opened[-1].told = told
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


def known(room):
    return {place.box: -place.seen for place in room.fixtures.places}


def written(tmp_path, **changes):
    before = json.loads((tmp_path / "fixtures.json").read_text())
    (tmp_path / "fixtures.json").write_text(json.dumps({**before, **changes}))


def test_what_was_noted_is_known_after_a_start_and_what_moved_off_is_not(room):
    first = room()
    first.note(Fixtures(places=(Place(POSTER, 70.0), Place(SCREEN, 99.0, left=99.5))), 100.0)
    first.close()
    assert known(room()) == {POSTER: 30.0}


def test_the_hours_in_which_nobody_saw_it_add_up_over_starts_until_it_is_forgotten(room):
    for day in range(4):
        today = room()
        found = today.fixtures if day else Fixtures(places=(Place(POSTER, 0.0),))
        for hour in range(10):
            found = update(found, {}, hour * 3600.0, 600)
            today.note(found, hour * 3600.0)
        today.close()
        assert known(room()) == ({POSTER: 9 * 3600.0 * (day + 1)} if day < 2 else {})


@settings(deadline=None)
@given(
    ages=st.dictionaries(
        st.tuples(*[st.floats(0, 0.4)] * 2, *[st.floats(0.5, 1)] * 2),
        st.floats(0, 86400), max_size=MOST_PLACES,
    )
)
def test_any_places_come_back_as_they_were(ages, tmp_path_factory):
    file = tmp_path_factory.mktemp("room") / "fixtures.json"
    first = Room(file, CAMERA, pytest.fail)
    first.note(Fixtures(places=tuple(Place(box, -age) for box, age in ages.items())), 0.0)
    first.close()
    again = Room(file, CAMERA, pytest.fail)
    assert known(again) == pytest.approx(ages, abs=0.06)
    again.close()


def test_a_face_that_reaches_out_of_the_picture_is_known_again(room):
    large = (-0.4, -0.2, 1.3, 1.5)
    first = room()
    first.note(Fixtures(places=(Place(large, 0.0),)), 0.0)
    first.close()
    assert known(room()) == {large: 0.0}


def test_who_passes_by_a_poster_does_not_have_it_written_down_anew(room, monkeypatch):
    writes = []
    monkeypatch.setattr(Room, "_write", lambda self: writes.append(now))
    today = room()
    for now, left in ((0.0, None), (6.0, 5.0), (8.0, None)):
        today.note(Fixtures(places=(Place(POSTER, now, left=left),)), now)
    assert writes == [0.0]
    # Nobody was seen there again: it was a person.
    today.note(Fixtures(), now := 20.0)
    assert writes == [0.0, 20.0]


def test_another_camera_sees_other_walls(room):
    first = room()
    first.note(Fixtures(places=(Place(POSTER, 0.0),)), 0.0)
    first.close()
    assert known(room("v4l2:///dev/video1")) == {} and known(room()) == {POSTER: 0.0}
    assert "video" not in first.file.read_text()


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2}, {"camera": None}, {"places": {}}, {"places": [PLACE] * 65},
        {"places": [{}]}, {"places": [3]}, {"places": [{**PLACE, "box": [0, 0, 1]}]},
        {"places": [{**PLACE, "box": [0.5, 0, 0.5, 1]}]},
        {"places": [{**PLACE, "unseen_seconds": -1}]},
        {"places": [{**PLACE, "unseen_seconds": float("nan")}]},
        {"places": [{**PLACE, "unseen_seconds": True}]},
        {"places": [{**PLACE, "box": [0, 0, 10**400, 1]}]},
        {"places": [{**PLACE, "box": [-1e9, -1e9, 1e9, 1e9]}]},
        {"places": [{**PLACE, "box": [0, 0, 1, 2.01]}]},
        {"places": [{**PLACE, "box": [-1.01, 0, 1, 1]}]},
    ],
)
def test_a_wrong_file_is_told_in_a_line_and_learnt_anew(room, tmp_path, changes):
    first = room()
    first.note(Fixtures(places=(Place(POSTER, 0.0),)), 0.0)
    first.close()
    written(tmp_path, **changes)
    second = room()
    assert known(second) == {} and len(second.told) == 1 and "learnt anew" in second.told[0]
    second.note(Fixtures(places=(Place(SCREEN, 1.0),)), 1.0)
    second.close()
    assert known(room()) == {SCREEN: 0.0}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[" * 99_000, b'{"deep": ' + b"[" * 90_000, b" " * 100_001],
)
def test_what_is_no_json_is_told_too(room, tmp_path, content):
    (tmp_path / "fixtures.json").write_bytes(content)
    assert known(one := room()) == {} and len(one.told) == 1


def test_a_pipe_keeps_nobody_waiting(room, tmp_path):
    os.mkfifo(tmp_path / "fixtures.json")
    assert "pipe or a device" in room().told[0]


def test_a_file_that_cannot_be_written_is_told_once_and_never_raised(room, tmp_path):
    (tmp_path / "no folder").write_text("")
    one = room(file=tmp_path / "no folder" / "fixtures.json")
    for now in range(5):
        one.note(Fixtures(places=(Place((0, 0, 0.1 * (now + 1), 1), now),)), now)
    one.close()
    assert [line for line in one.told if "cannot be remembered" in line] == one.told[-1:]


def test_a_card_is_not_written_to_while_nothing_changes(room, tmp_path):
    one = room()
    one.note(Fixtures(places=(Place(POSTER, 0.0),)), 0.0)
    one.close()
    before = (tmp_path / "fixtures.json").stat().st_mtime_ns
    two = room()
    for now in range(0, 3600, 60):
        two.note(Fixtures(places=(Place(POSTER, now),)), now)
    assert two._waiting is None and (tmp_path / "fixtures.json").stat().st_mtime_ns == before


def test_without_a_file_it_is_known_until_the_end(room):
    one = room(file=None)
    one.note(Fixtures(places=(Place(POSTER, 3.0),)), 5.0)
    assert known(one) == {POSTER: 2.0}
    one.close()
    assert fixtures_file({}) is None


def test_a_poster_is_told_once_in_its_life_and_not_after_every_start(
    room, detector, classifier, source_of, painted
):
    patient = Settings(policy=PolicySettings(fixture_seconds=60))
    poster, gap = [painted(("no_mask", 100, 80, 50))], [painted()]
    told = []
    for pictures in (poster * 320, (poster * 30 + gap * 10) * 3):
        today, events = room(), []
        outcome = run(
            source_of(pictures, 5.0), detector, classifier, Outputs(), patient,
            observer=Observers([Surveyor(today), Told(events.append)]), room=today.fixtures,
        )
        told.append(([e.event for e in events], outcome.verdicts["no_mask"]))
        today.close()
    once = ["person_judged", "alarm_started", "alarm_ended", "fixture_found", "person_left"]
    assert told == [(once, 1), ([], 0)]


def test_who_appears_where_a_poster_hung_is_told_as_soon_as_they_move(
    detector, classifier, source_of, painted
):
    place = Place((100 / 320, 80 / 240, 150 / 320, 130 / 240), -5.0)
    pictures = [painted(("no_mask", 100 + 3 * max(0, i - 60), 80, 50)) for i in range(90)]
    events = []
    run(
        source_of(pictures), detector, classifier, Outputs(), Settings(),
        observer=Told(events.append), room=Fixtures(places=(place,)),
    )
    assert [e.event for e in events][:2] == ["person_judged", "alarm_started"]
    assert 2.0 < events[0].time < 3.1


def test_a_service_says_what_it_knows_and_keeps_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    before = Room(tmp_path / "fixtures.json", "faulty:demo:", pytest.fail)
    before.note(Fixtures(places=(Place((0.0, 0.0, 0.05, 0.05), 0.0),)), 0.0)
    before.close()
    with pytest.raises(SystemExit) as ended:
        main(["run", "--source", "faulty:demo:", "--seconds", "3", "--no-pins"])
    assert ended.value.code == EXIT_OK
    assert "1 place is known from before" in "".join(capsys.readouterr())
    (place,) = json.loads((tmp_path / "fixtures.json").read_text())["places"]
    assert 1 < place["unseen_seconds"] <= 4
