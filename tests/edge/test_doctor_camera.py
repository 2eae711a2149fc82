"""The doctor's look through the camera: light, freshness, faults, drivers that crash."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import pytest

from edge.camera import open_source
from edge.camera.fakes import SteppedSource
from edge.config import CameraSettings, Config
from edge.doctor.camera import check_camera, judge_look, look_aside
from edge.doctor.context import Wishes
from edge.doctor.fakes import RUNNING, FakePrograms, fake_context
from edge.doctor.look import look, watch
from edge.doctor.sight import sight_of, troubles_of
from edge.doctor.unit_state import UnitState


@pytest.fixture
def ctx(tmp_path):
    return fake_context(tmp_path, FakePrograms(tmp_path / "bin"))


@lru_cache
def scene() -> np.ndarray:
    return open_source("demo:").read(1.0).image


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda image: image, None),
        (lambda image: (image * 0.15).astype(np.uint8), "dark"),
        (lambda image: np.clip(image * 2.5, 0, 255).astype(np.uint8), "too bright"),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 5), "little detail"),
        (lambda image: np.full_like(image, 130), "little detail"),
    ],
)
def test_a_picture_is_judged_by_light_and_detail(spoil, words):
    troubles = troubles_of(sight_of(spoil(scene())))
    assert [words in wrong for wrong, _ in troubles] == ([] if words is None else [True])


def stepped(script):
    source = SteppedSource(script, pictures=lambda number: scene())
    return watch(source, 12.0, None, source.clock)


def test_a_camera_that_is_well_delivers_fresh_different_pictures():
    answer = stepped([(math.inf, "picture")])
    assert not answer["error"]
    assert answer["size"] == [640, 480]
    assert answer["different"] == answer["frames"] - 1 > 30
    assert answer["rate"] == pytest.approx(30, abs=1)
    assert judge_look("0", answer).level == "ok"


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("black", "black"), ("unplug", "unplugged"), ("garbage", "same colour"),
        ("freeze", "0 new pictures"),
    ],
)
def test_a_camera_at_fault_is_a_failure_that_names_the_fault(behaviour, words):
    answer = stepped([(0.5, "picture"), (60, behaviour), (math.inf, "picture")])
    found = judge_look("0", answer)
    assert found.level == "failure"
    assert words in found.found


def test_a_camera_whose_driver_hangs_is_a_failure():
    answer = look("faulty:demo?script=picture:0.3,hang:60", 8.0)
    assert "no picture for 3 s" in answer["error"]


def test_a_camera_that_falls_silent_at_the_end_has_an_old_picture():
    source = SteppedSource([(2.5, "picture"), (1.5, "hang"), (math.inf, "unplug")])
    answer = watch(source, 12.0, None, source.clock)
    assert judge_look("0", answer).level != "ok"


GOOD = {
    "live": True, "error": "", "size": [1280, 720], "frames": 60, "different": 59, "rate": 29.9,
    "age": 0.02, "mean": 120.0, "blown": 0.01, "detail": 0.5, "remarks": [],
}


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({}, "ok"), ({"error": "cannot be opened"}, "failure"), ({"different": 0}, "failure"),
        ({"frames": 1, "different": 0}, "failure"),
        ({"age": 3.0}, "warning"), ({"rate": 2.0}, "warning"), ({"mean": 10.0}, "warning"),
        ({"blown": 0.5}, "warning"), ({"detail": 0.01}, "warning"),
        ({"remarks": ["0: no autofocus"]}, "warning"),
        ({"live": False, "different": 0, "rate": 0.0}, "ok"),
    ],
)
def test_what_a_camera_delivers_is_judged(change, level):
    assert judge_look("0", {**GOOD, **change}).level == level


def test_the_camera_is_looked_through_in_a_process_of_its_own(tmp_path):
    picture = tmp_path / "door.png"
    answer = look_aside("demo:", 10.0, picture)
    assert answer["error"] == ""
    assert cv2.imread(str(picture)).shape == (480, 640, 3)
    assert picture.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("body", "words"),
    [("kill -SEGV $$", "SIGSEGV"), ("exec sleep 60", "hangs"), ("echo nonsense", "code 0")],
)
def test_a_driver_that_crashes_or_hangs_takes_only_the_child_along(
    tmp_path, monkeypatch, body, words
):
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    found = judge_look("0", look_aside("0", 0.2, None, slack=0.3))
    assert found.level == "failure"
    assert words in found.found


def test_a_camera_that_is_not_there_says_so(tmp_path):
    assert "no such camera" in look("v4l2:///dev/video97", 5.0)["error"]


def test_a_gate_that_watches_the_built_in_scene_is_told_that_it_has_no_camera(ctx):
    found = check_camera(ctx)
    assert found.level == "warning"
    assert "[camera] source" in found.advice


def test_no_picture_is_written_unless_asked_for(ctx, tmp_path):
    check_camera(ctx)
    wishes = Wishes(picture=tmp_path / "one.jpg")
    check_camera(replace(ctx, wishes=wishes))
    found = [path.name for path in tmp_path.rglob("*") if path.suffix in (".jpg", ".png")]
    assert found == ["one.jpg"]


def test_a_picture_that_the_service_keeps_from_being_taken_is_told(ctx, tmp_path):
    wishes = Wishes(picture=tmp_path / "one.jpg")
    found = check_camera(replace(ctx, service=UnitState(RUNNING), wishes=wishes))
    assert found.level == "warning"
    assert "no picture was taken" in found.found


def test_the_service_keeps_its_camera(ctx):
    config = Config(camera=CameraSettings("rtsp://door:secret@cam/1"))
    found = check_camera(replace(ctx, config=config, service=UnitState(RUNNING)))
    assert found.level == "skipped"
    assert "nobody is there" in found.found
    assert "secret" not in found.found
    assert "--stop-service" in found.advice
