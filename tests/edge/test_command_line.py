"""``maskgate`` as typed: what comes out, and one line and a code when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
from click.testing import CliRunner

import edge
from edge import gatekeeper, networks
from edge.cli import main
from edge.modelfile import read_model, released_model
from edge.report import recorder
from edge.vision.selftest import run_self_test

ROOT = Path(edge.__file__).parents[1]


@pytest.fixture
def invoke(monkeypatch, detector, classifier, mock_pins):
    """Run ``maskgate`` with networks that see paint."""

    def read_model(path, kind=None):
        card = SimpleNamespace(name=kind, version=1, decision={"score_threshold": 0.5})
        return SimpleNamespace(path=path, card=card, sha256="0" * 64)

    def loaded(network):
        def load(model, threads, **options):
            network.model = model
            return network

        return load

    monkeypatch.setattr(networks, "released_model", lambda kind: Path(kind))
    monkeypatch.setattr(networks, "read_model", read_model)
    monkeypatch.setattr(networks, "FaceDetector", loaded(detector))
    monkeypatch.setattr(networks, "MaskClassifier", loaded(classifier))

    def invoke(*args):
        return CliRunner().invoke(main, ["run", *map(str, args)])

    return invoke


@pytest.fixture
def visit(write_film, painted):
    """A film of a bare face and then a masked one."""
    bare = [painted(("no_mask", 60 + 2 * i, 80, 50)) for i in range(40)]
    masked = [painted(("mask", 60 + 2 * i, 80, 50)) for i in range(40)]
    return write_film(bare + [painted()] * 40 + masked + [painted()] * 40)


def outside(*args, **options) -> subprocess.CompletedProcess:
    """Run ``python -m edge`` as a program of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, args)],
        capture_output=True, text=True, timeout=120, env=environment, check=False,
    )


def test_a_film_is_watched_and_summed_up(invoke, visit):
    result = invoke("--source", visit)
    assert result.exit_code == 0, result.output
    for part in ("person 1: NO MASK", "ALARM for person 1", "alarm ended", "person 2: mask",
                 "2: 1 mask, 1 no mask", "mock pins", "led on GPIO 27 (mock)"):
        assert part in result.output
    led = result.output.split("led on GPIO 27 (mock)")[1]
    assert "never on" not in led and "left on" not in led


def test_events_alone_are_on_standard_output(invoke, visit):
    result = invoke("--source", visit, "--events", "-")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [v["event"] for v in lines] == [
        "person_judged", "alarm_started", "person_left", "alarm_ended", "person_judged",
        "person_left",
    ]
    assert lines[0]["model"].startswith("mask-classifier 1")
    assert "Summary" in result.stderr


def test_the_film_and_the_events_are_written(invoke, visit, tmp_path):
    film, events = tmp_path / "out.mp4", tmp_path / "events.jsonl"
    result = invoke("--source", visit, "--record", film, "--events", events)
    assert result.exit_code == 0, result.output
    assert cv2.VideoCapture(str(film)).get(cv2.CAP_PROP_FRAME_COUNT) == 160
    assert len(events.read_text().splitlines()) == 6


def test_the_summary_can_be_json(invoke, visit):
    result = invoke("--source", visit, "--json")
    values = json.loads(result.stdout)
    assert values["verdicts"] == {"mask": 1, "no_mask": 1, "incorrect": 0, "unsure": 0}
    assert values["frames"] == 160


def test_pictures_of_a_folder_are_judged_each_by_itself(invoke, painted, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), painted(("mask", 100, 80, 50)))
    cv2.imwrite(str(tmp_path / "b.png"), painted(("no_mask", 100, 80, 50)))
    (tmp_path / "c.png").write_bytes(b"broken")
    result = invoke("--source", tmp_path, "--json")
    people = json.loads(result.stdout)["people"]
    assert {p["picture"]: p["verdict"] for p in people} == {"a.png": "mask", "b.png": "no_mask"}
    assert "c.png" in json.loads(result.stdout)["remarks"][0]


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--source", "absent.mp4"], 3, "absent.mp4: no such file"),
        (["--source", "97"], 3, "/dev/video97: no such camera"),
        (["--source", "warp:9"], 2, "'warp' is not known; allowed"),
        (["--sauce", "x"], 2, "No such option"),
        (["--threads", "99"], 2, "99"),
        (["--seconds", "nan"], 2, "nan is no number"),
        (["--led-pin", "17"], 2, "both on GPIO 17"),
        (["--record", "out.gif"], 2, "out.gif"),
        (["--events", "absent/events.jsonl"], 5, "absent/events.jsonl"),
    ],
)
def test_every_mistake_is_one_line_with_its_code(invoke, visit, args, code, says):
    result = invoke(*([] if "--source" in args else ["--source", visit]), "--quiet", *args)
    assert result.exit_code == code, result.output
    complaint = result.stderr.splitlines()
    assert len(complaint) == 1 and complaint[0].startswith("maskgate: ") and says in complaint[0]


@pytest.mark.parametrize(
    ("typed", "helped"),
    [
        (["run", "--max-alarm", "0"], "maskgate run --help"),
        (["model", "install"], "maskgate model install --help"),
        (["nix"], "maskgate --help"),
    ],
)
def test_what_is_mistyped_names_the_help_that_has_it(typed, helped):
    result = CliRunner().invoke(main, typed)
    assert result.exit_code == 2 and result.stderr.endswith(f"See {helped}.\n")


def test_a_bug_is_one_line_that_says_how_to_see_more(invoke, visit, detector, monkeypatch):
    monkeypatch.delenv("MASKGATE_DEBUG", raising=False)
    monkeypatch.setattr(detector, "detect", lambda image: 1 / 0)
    result = invoke("--source", visit)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "maskgate: unexpected ZeroDivisionError: division by zero. This is a bug: please report "
        "it with the traceback that MASKGATE_DEBUG=1 shows"
    ]


def test_debugging_shows_the_traceback(invoke, visit, detector, monkeypatch):
    monkeypatch.setenv("MASKGATE_DEBUG", "1")
    monkeypatch.setattr(detector, "detect", lambda image: 1 / 0)
    assert isinstance(invoke("--source", visit).exception, ZeroDivisionError)


def test_the_summary_comes_before_the_error_that_ended_the_run(
    invoke, visit, tmp_path, monkeypatch
):
    monkeypatch.setattr(recorder.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    result = invoke("--source", visit, "--record", tmp_path / "out.mp4")
    assert result.exit_code == 5
    assert "ended by an error" in result.stdout and "0 MiB are free" in result.stderr
    assert str(tmp_path / "out.mp4") not in result.stdout


@pytest.mark.parametrize("name", ["out.gif", "absent/out.mp4"])
def test_a_recording_that_cannot_be_is_told_before_anything_is_loaded(
    invoke, visit, name, tmp_path, monkeypatch
):
    monkeypatch.setattr(networks, "read_model", lambda *_: pytest.fail("a model was read"))
    result = invoke("--source", visit, "--record", tmp_path / name)
    assert result.exit_code in (2, 5) and "cannot record" in result.stderr


def test_the_source_outlives_an_output_of_its_name(invoke, visit):
    before = Path(visit).read_bytes()
    for option in ("--record", "--events"):
        result = invoke("--source", visit, option, visit)
        assert result.exit_code == 2 and "would overwrite --source" in result.stderr
    assert Path(visit).read_bytes() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_events_that_do_not_fit_are_one_line_after_the_summary(invoke, visit):
    result = invoke("--source", visit, "--events", "/dev/full")
    assert result.exit_code == 5 and "ended by an error" in result.stdout
    assert result.stderr.startswith("maskgate: cannot write events to /dev/full: No space")
    assert "/dev/full" not in result.stdout


def test_the_pins_limit_is_never_below_the_alarms(invoke, visit, monkeypatch):
    limits = []
    set_up = gatekeeper.open_outputs

    def spy(*args, **options):
        limits.append(options["max_on_seconds"])
        return set_up(*args, **options)

    monkeypatch.setattr(gatekeeper, "open_outputs", spy)
    assert invoke("--source", visit, "--max-alarm", 300, "--max-frames", 1).exit_code == 0
    assert 300 < limits[0] <= 310


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]
)
def test_a_signal_ends_the_run_in_good_order(invoke, visit, detector, number, code, tmp_path):
    detect, seen = detector.detect, []

    def detect_and_signal(image):
        seen.append(image)
        if len(seen) == 30:
            os.kill(os.getpid(), number)
        return detect(image)

    detector.detect = detect_and_signal
    # A suite that is itself run under nohup inherits an ignored SIGHUP, which a run respects.
    inherited = signal.signal(number, signal.default_int_handler)
    film = tmp_path / "out.mp4"
    try:
        result = invoke("--source", visit, "--record", film)
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, inherited)
    assert result.exit_code == code
    assert "stopped by" in result.output and "left on" not in result.output
    assert cv2.VideoCapture(str(film)).get(cv2.CAP_PROP_FRAME_COUNT) == 30


def test_version_and_help_need_no_network():
    assert outside("--version").stdout == f"maskgate {edge.__version__}\n"
    result = outside("run", "--help")
    assert result.returncode == 0 and "Exit codes" in result.stdout
    options = [line for line in result.stdout.splitlines() if line.strip().startswith("--")]
    assert len(options) >= 14


def test_native_libraries_do_not_bury_the_one_line(tmp_path):
    broken = tmp_path / "film.mp4"
    broken.write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 3000)
    result = outside("run", "--source", broken, env={"MASKGATE_DEBUG": ""})
    assert result.returncode == 3
    assert result.stderr.count("\n") == 1 and "film.mp4" in result.stderr


def test_a_file_that_is_no_model_is_refused(visit, tmp_path):
    wrong = tmp_path / "other.tflite"
    wrong.write_bytes(b"not a network at all" * 100)
    result = outside("run", "--source", visit, "--detector", wrong)
    assert result.returncode == 4
    assert result.stderr.count("\n") == 1 and "other.tflite" in result.stderr


@pytest.mark.parametrize("kind", ["face-detector", "mask-classifier"])
def test_a_released_network_passes_its_own_self_test_here(kind):
    model = read_model(released_model(kind), kind)
    assert run_self_test(model) <= model.card.self_test.tolerance


def test_the_built_in_scene_is_judged_right_by_the_released_networks():
    pytest.importorskip("skimage")
    result = outside("run", "--as-fast-as-possible", "--no-pins", "--json", "--quiet")
    assert result.returncode == 0, result.stderr
    people = [p for p in json.loads(result.stdout)["people"] if p["verdict"] != "unsure"]
    assert [p["verdict"] for p in people] == ["no_mask", "mask"]


def test_the_end_of_a_session_is_not_a_second_signal(invoke, visit, detector):
    detect, seen = detector.detect, []

    def detect_and_signal(image):
        seen.append(image)
        if len(seen) == 30:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
        return detect(image)

    detector.detect = detect_and_signal
    result = invoke("--source", visit)
    assert result.exit_code == 0 and "stopped by SIGTERM" in result.output
