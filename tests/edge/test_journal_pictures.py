"""Evidence pictures: only when switched on, few, not for long, and nobody else in them."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import UsageError
from edge.journal.evidence import face_cut, whole_frame
from edge.journal.pictures import Pictures, prune, taken_at
from edge.journal.settings import PictureSettings
from edge.report.events import Event

NOW = datetime(2024, 1, 31, 9, 30, 0, 250000, tzinfo=timezone.utc)
PROMPT = 20.0
BOX = (100.0, 60.0, 140.0, 110.0)
NAME = "20240131T093000.250Z-person-1-no_mask.jpg"


@pytest.fixture
def frame() -> np.ndarray:
    """A picture of noise, in which every place differs from every other."""
    return np.random.default_rng(1).integers(0, 256, (240, 320, 3), np.uint8)


class Camera:
    def __init__(self, folder: Path, **options) -> None:
        self.problems: list[str] = []
        self.now = NOW
        self.pictures = Pictures(
            PictureSettings(**{"enabled": True, "folder": str(folder), **options}),
            self.problems.append, clock=lambda: self.now, environ={},
        )

    def judged(self, frame, person=1, verdict="no_mask", at=NOW, box=BOX, others=()) -> str:
        event = Event(1.0, "person_judged", person, verdict, 0.9, box)
        name = self.pictures.take(event, at, frame, others)
        assert self.pictures.flush(PROMPT)
        return name


@pytest.fixture
def camera(tmp_path):
    camera = Camera(tmp_path / "evidence")
    yield camera
    assert camera.pictures.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_stored_unless_it_is_switched_on(tmp_path, frame) -> None:
    camera = Camera(tmp_path / "evidence", enabled=False)
    assert camera.judged(frame) == ""
    assert camera.pictures.close()
    assert names(tmp_path) == []
    assert PictureSettings().enabled is False


def test_a_face_is_stored_by_time_person_and_verdict_for_this_user_alone(camera, frame) -> None:
    assert camera.judged(frame) == NAME
    assert names(camera.pictures.folder) == [NAME]
    # Half of the longer side, 25 pixels, on each side of 40x50.
    assert cv2.imread(str(camera.pictures.folder / NAME)).shape == (100, 90, 3)
    assert camera.pictures.folder.stat().st_mode & 0o777 == 0o700
    assert (camera.pictures.folder / NAME).stat().st_mode & 0o777 == 0o600


def test_a_whole_frame_is_stored_where_that_is_wanted(tmp_path, frame) -> None:
    camera = Camera(tmp_path, show="frame")
    camera.judged(frame)
    assert cv2.imread(str(tmp_path / NAME)).shape == frame.shape
    camera.pictures.close()


@pytest.mark.parametrize(
    "event",
    [
        Event(1.0, "person_judged", 1, "mask", 0.9, BOX),
        Event(1.0, "person_left", 1, "no_mask", None, BOX),
        Event(1.0, "alarm_started", 1),
        Event(1.0, "person_judged", 1, "no_mask", 0.9, None),
    ],
)
def test_no_picture_is_taken_of_anything_else(camera, frame, event) -> None:
    assert camera.pictures.take(event, NOW, frame) == ""
    assert not camera.pictures.folder.exists()


def test_a_face_outside_of_the_frame_is_told_and_never_shows_the_frame(camera, frame) -> None:
    camera.judged(frame, box=(400.0, 10.0, 440.0, 60.0))
    camera.judged(frame, box=(float("nan"), 10.0, 440.0, 60.0))
    assert list(camera.pictures.folder.parent.rglob("*.jpg")) == []
    assert "outside of the picture" in camera.problems[0]


def test_pictures_of_one_moment_have_names_of_their_own(camera, frame) -> None:
    camera.judged(frame)
    camera.judged(frame)
    assert len(names(camera.pictures.folder)) == 2


@pytest.mark.parametrize("show", ["face", "frame"])
def test_other_faces_cannot_be_told_any_more(tmp_path, frame, show) -> None:
    other = (130.0, 60.0, 170.0, 110.0)
    camera = Camera(tmp_path, show=show, margin=3.0, jpeg_quality=100)
    camera.judged(frame, others=[other])
    shown = cv2.imread(str(tmp_path / NAME))
    # So large a margin reaches to the frame's left and top, and the places are the same.
    hidden = shown[60:110, 135:165].astype(float)
    # Noise of 256 levels has a spread of 74; of a face so few blocks are left that neighbours
    # are alike.
    assert np.abs(np.diff(hidden, axis=1)).mean() < 8
    assert np.abs(np.diff(shown[180:230, 20:100].astype(float), axis=1)).mean() > 50
    camera.pictures.close()


def test_others_are_shown_only_where_that_is_wanted(tmp_path, frame) -> None:
    camera = Camera(tmp_path, show="frame", blur_others=False, jpeg_quality=100)
    camera.judged(frame, others=[(10.0, 10.0, 60.0, 60.0)])
    shown = cv2.imread(str(tmp_path / NAME))[10:60, 10:60].astype(float)
    assert np.abs(np.diff(shown, axis=1)).mean() > 50
    camera.pictures.close()


def test_the_frame_itself_is_never_changed(frame) -> None:
    before = frame.copy()
    whole_frame(frame, [BOX])
    face_cut(frame, BOX, [BOX], 0.5)
    assert (frame == before).all()


sides = st.floats(-500, 700) | st.sampled_from([float("nan"), float("inf"), 0.0])
boxes = st.tuples(sides, sides, sides, sides)


@settings(max_examples=100, deadline=None)
@given(boxes, st.lists(boxes, max_size=3), st.floats(0, 3))
def test_any_boxes_give_a_cut_inside_the_frame_or_none(box, others, margin) -> None:
    image = np.zeros((24, 32, 3), np.uint8)
    cut = face_cut(image, box, others, margin)
    assert cut is None or (0 < cut.shape[0] <= 24 and 0 < cut.shape[1] <= 32)


def test_there_are_never_more_than_the_limit_and_the_newest_stay(tmp_path, frame) -> None:
    camera = Camera(tmp_path, max_count=3)
    (tmp_path / "notes.txt").write_text("of the owner")
    for person in range(1, 8):
        camera.judged(frame, person, at=NOW + timedelta(seconds=person))
        assert len(list(tmp_path.glob("*.jpg"))) <= 3
    people = [name.split("-")[2] for name in names(tmp_path) if name.endswith("jpg")]
    assert people == ["5", "6", "7"]
    assert (tmp_path / "notes.txt").exists()
    camera.pictures.close()


def test_old_pictures_go_even_while_pictures_are_switched_off(tmp_path, frame) -> None:
    camera = Camera(tmp_path)
    camera.judged(frame)
    camera.pictures.close()
    (tmp_path / f".{NAME}.123.tmp").write_bytes(b"half a picture")
    later = Pictures(
        PictureSettings(folder=str(tmp_path), max_days=7), print,
        clock=lambda: NOW + timedelta(days=8), environ={},
    )
    assert later.flush(PROMPT)
    assert names(tmp_path) == []
    assert later.close()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-20 * 86400, 20 * 86400), max_size=12, unique=True),
    st.integers(0, 6),
    st.integers(1, 10),
)
def test_pruning_keeps_the_newest_of_what_is_not_too_old(ages, most, days) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for age in ages:
            taken = NOW - timedelta(seconds=age)
            (folder / f"{taken:%Y%m%dT%H%M%S}.000Z-person-1-no_mask.jpg").touch()
        (folder / "holiday.jpg").touch()
        prune(folder, NOW, most=most, days=days)
        left = [at for at in map(taken_at, names(folder)) if at is not None]
        assert (folder / "holiday.jpg").exists()
    times = [(NOW - timedelta(seconds=age)).replace(microsecond=0) for age in ages]
    fresh = [at for at in times if at >= NOW - timedelta(days=days)]
    # What is dated ahead of the clock was so by mistake, and goes first.
    fresh.sort(key=lambda at: (at <= NOW + timedelta(days=1), at))
    assert sorted(left) == sorted(fresh[len(fresh) - most :] if most < len(fresh) else fresh)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told_once_to_others(tmp_path, frame) -> None:
    tmp_path.chmod(0o500)
    camera = Camera(tmp_path / "evidence")
    camera.judged(frame)
    camera.judged(frame)
    assert len(camera.problems) == 1
    camera.pictures.close()


def test_a_folder_that_cannot_be_made_is_told_once_and_tried_again(tmp_path, frame) -> None:
    camera = Camera(tmp_path / "stick" / "evidence")
    camera.judged(frame)
    camera.judged(frame)
    assert len(camera.problems) == 1 and "No such file" in camera.problems[0]
    (tmp_path / "stick").mkdir()
    camera.judged(frame)
    assert "kept again" in camera.problems[1]
    assert camera.pictures.lost == 2
    assert names(tmp_path / "stick" / "evidence") == [NAME]
    camera.pictures.close()


def test_without_a_place_that_is_told_when_pictures_are_wanted() -> None:
    problems: list[str] = []
    wanted = Pictures(PictureSettings(enabled=True), problems.append, environ={})
    Pictures(PictureSettings(), problems.append, environ={})
    assert len(problems) == 1 and "name a folder" in problems[0]
    assert wanted.take(Event(1.0, "person_judged", 1, "no_mask", 1.0, BOX), NOW, None) == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"verdicts": ("masked",)}, "verdicts: masked; allowed: mask, no_mask"),
        ({"verdicts": ()}, "verdicts: empty"),
        ({"show": "body"}, "show is 'body'; allowed: face or frame"),
        ({"margin": 4}, "margin is 4; allowed: 0 to 3"),
        ({"jpeg_quality": 5}, "allowed: 10 to 100"),
        ({"max_count": 0}, "allowed: 1 to 100000"),
        ({"max_days": 400}, "allowed: 1 to 366"),
    ],
)
def test_settings_out_of_range_name_what_is_allowed(values, words) -> None:
    with pytest.raises(UsageError, match=words):
        PictureSettings(**values)
