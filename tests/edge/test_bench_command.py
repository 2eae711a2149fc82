"""``maskgate bench``: its files, its words, its errors, and one small real run."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from edge.bench import command, configure, report_file
from edge.bench.command import bench, run_steps
from edge.bench.comparison import bars, comparison_text
from edge.bench.configure import with_threads, write_threads
from edge.bench.figures import compare, figures
from edge.bench.report_file import (
    REFERENCES,
    machine_key,
    read_report,
    reference_for,
    report_values,
    write_report,
)
from edge.bench.result import KIND, SCHEMA, FrameCost, LoopTime, NetworkTime, Result
from edge.bench.session import Step
from edge.bench.spoilers import spoilers
from edge.bench.statistics import Spread
from edge.bench.text import result_text
from edge.board.facts import Condition, read_board
from edge.board.load import Process
from edge.board.memory import Memory
from edge.board.power import Brakes
from edge.errors import OutputError, UsageError
from edge.files import check_writable

BOARDS = Path(__file__).parent / "boards"
ROOT = Path(__file__).parents[2]


def maskgate(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    """Run ``maskgate bench`` as a program of its own."""
    return subprocess.run(
        [sys.executable, "-m", "edge", "bench", *arguments],
        capture_output=True, text=True, timeout=300, cwd=ROOT, check=False, **options,
    )


def result_of(board: str = "pi5", scale: float = 1.0) -> Result:
    """Return a made result of one of the fixture boards, *scale* times as slow."""
    time = Spread(50, 10 * scale, 10 * scale, 12 * scale, 13 * scale)
    return Result(
        board=read_board(BOARDS / board, lambda command: None),
        maskgate="0.0", taken_at="2000-01-01T00:00:00+00:00", models=("a 1", "b 1"),
        runtime="x", partial=False, scene="portrait",
        networks=(NetworkTime("detector", 1, (384, 288), time),),
        loops=(LoopTime(1, 1, (640, 480), 1.0, 0.2, 100 / scale, time),),
    )


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> tuple[subprocess.CompletedProcess[str], Path]:
    """One small real benchmark through the command line."""
    folder = tmp_path_factory.mktemp("bench")
    config = folder / "gate.toml"
    config.write_text("# mine\n[models]\nthreads = 16  # all\n")
    done = maskgate(
        "--quick", "--json", str(folder / "a.json"), "--write-config", str(config),
        "--camera", "demo:", "--note", "a test", "--minutes", "0.01",
    )
    return done, folder


def test_a_quick_benchmark_ends_well_and_says_what_board_it_is(quick):
    done, _ = quick
    assert done.returncode == 0, done.stderr
    for words in ("processor", "detector alone", "frame to outputs", "faces", "sustained",
                  "picture to GPIO 27 (gpiozero's mock pin)", "memory", "Suggested configuration"):
        assert words in done.stdout
    assert "measuring" in done.stderr


def test_a_benchmark_is_a_file_with_a_schema_and_figures(quick):
    _, folder = quick
    values = json.loads((folder / "a.json").read_text())
    assert (values["kind"], values["schema"], values["partial"]) == (KIND, SCHEMA, False)
    assert values["note"] == "a test"
    report = read_report(folder / "a.json")
    assert {"detector_1_thread_ms", "classifier_1_thread_ms", "frame_to_bare_ratio",
            "loop_8_faces_1_thread_fps", "frame_to_pin_ms", "camera_fps", "memory_peak_mib",
            "stage_crop_ms", "sustained_last_fps",
            "frame_given_small_picture_ms"} <= set(report.figures)
    assert all(value >= 0 for value in report.figures.values())


def test_every_measured_thing_has_its_own_samples(quick):
    _, folder = quick
    values = json.loads((folder / "a.json").read_text())
    for one in [*values["networks"], *values["cost"]["stages"]]:
        assert one["time"]["samples"] >= 5
    assert [loop["faces"] for loop in values["loops"]][:5] == [0, 1, 2, 4, 8]
    assert all(loop["found"] == loop["faces"] for loop in values["loops"])


def test_only_the_threads_in_the_configuration_changed(quick):
    done, folder = quick
    threads = json.loads((folder / "a.json").read_text())["advice"]["threads"]
    assert (folder / "gate.toml").read_text() == f"# mine\n[models]\nthreads = {threads}  # all\n"
    assert f"threads = {threads}" in done.stdout


def test_a_benchmark_compared_with_itself_is_the_same(quick):
    _, folder = quick
    file = str(folder / "a.json")
    done = maskgate("--compare", file, file)
    assert done.returncode == 0
    assert "detector_1_thread_ms" in done.stdout
    assert "slower" not in done.stdout.replace("other is slower", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--compare", "none.json", "none.json"], 2, "none.json cannot be read"),
        (["--minutes", "-1"], 2, "--minutes"),
        (["--minutes", "nan"], 2, "nan is no number"),
        (["--pin", "99"], 2, "--pin"),
        (["--camera", "nonsense://0"], 2, "nonsense"),
        (["--camera", "none.mp4", "--quick"], 3, "none.mp4"),
        (["--detector", "none.tflite"], 4, "none.tflite"),
        (["--json", "."], 5, "is a folder"),
        (["--write-config", "none.toml"], 5, "none.toml cannot be read"),
        (["--json", "a.json", "--write-config", "a.json"], 2, "overwrite"),
        (["--json", "a" * 300], 5, "--json: aaa"),
        (["--json", "/proc/no/a.json"], 5, "--json: /proc/no/a.json cannot be written"),
        (["--json", "/dev/null"], 5, "it is a pipe or a device"),
        (["--write-config", "a" * 300], 5, "cannot be read"),
        (["--write-config", "/proc/version"], 2, "no TOML"),
    ],
)
def test_what_cannot_be_is_one_line_and_a_code(tmp_path, arguments, code, words):
    done = maskgate(*arguments, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == code
    said = [line for line in done.stderr.splitlines() if line.startswith("maskgate: ")]
    assert len(said) == 1
    assert words in said[0]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_ctrl_c_gives_what_was_measured_until_then(tmp_path):
    file = tmp_path / "a.json"
    with subprocess.Popen(
        [sys.executable, "-m", "edge", "bench", "--quick", "--minutes", "60", "--json", str(file)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    ) as program:
        try:
            _wait_until_measuring_for_long(program.pid)
            program.send_signal(signal.SIGINT)
            said, _ = program.communicate(timeout=60)
        finally:
            program.kill()
    assert program.returncode == 130
    assert said.startswith("PARTIAL")
    assert "detector alone" in said
    assert read_report(file).partial


@pytest.mark.parametrize(
    ("trouble", "outcome"), [(KeyboardInterrupt(), None), (OutputError("no pin"), "no pin")]
)
def test_a_step_that_fails_loses_nothing_that_was_measured_before(trouble, outcome):
    done = []

    def fail() -> None:
        raise trouble

    session = SimpleNamespace(
        estimate=1.0, watch_board=lambda: None,
        steps=lambda: iter([Step("a", 0.5, lambda: done.append("a")), Step("b", 0.5, fail),
                            Step("c", 0.5, lambda: done.append("c"))]),
    )
    whole, error = run_steps(session)
    assert not whole
    assert done == ["a"]
    assert (error and str(error)) == outcome


def _wait_until_measuring_for_long(pid: int) -> None:
    # The other steps take a second or two of processor time; then the long one has begun.
    until = time.monotonic() + 120
    while time.monotonic() < until:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        if (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") > 10:
            return
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no JSON"),
        ("[1]", "no benchmark"),
        ('{"kind": "other"}', "no benchmark"),
        (json.dumps({"kind": KIND, "schema": 99, "figures": {}}), "schema 99"),
        (json.dumps({"kind": KIND, "schema": SCHEMA}), "no figures"),
        (json.dumps({"kind": KIND, "schema": SCHEMA, "figures": {"a_ms": "1"}}), "no figures"),
        (f'{{"kind": "{KIND}", "schema": {SCHEMA}, "figures": {{"a_ms": NaN}}}}', "no figures"),
        ("[" * 100_000, "no JSON"),
    ],
)
def test_a_file_that_is_no_benchmark_is_refused_in_one_line(tmp_path, content, words):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=words) as told:
        read_report(path)
    assert "\n" not in str(told.value)


def test_a_result_survives_its_file(tmp_path):
    write_report(tmp_path / "a.json", result_of())
    report = read_report(tmp_path / "a.json")
    assert report.figures == figures(result_of())
    assert report.machine == "Raspberry Pi 5 Model B"
    assert not report.partial


def test_a_file_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_report(tmp_path / "file" / "a.json", result_of())


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("pi3bplus", "Raspberry Pi 3 Model B Plus"),
        ("pi4", "Raspberry Pi 4 Model B"),
        ("zero2w", "Raspberry Pi Zero 2 W"),
        ("orin-nano", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super"),
    ],
)
def test_boards_of_one_kind_share_a_reference(name, key):
    assert machine_key(read_board(BOARDS / name, lambda command: None)) == key


@pytest.mark.parametrize(
    ("scale", "words"),
    [(2.0, "slower: detector_1_thread_ms"), (0.5, "suspiciously faster: detector_1_thread_ms"),
     (1.1, "all figures within 30%")],
)
def test_a_reference_is_compared_in_both_directions(tmp_path, scale, words):
    write_report(tmp_path / "pi5.json", result_of())
    reference = reference_for("Raspberry Pi 5 Model B", tmp_path)
    assert words in result_text(result_of(scale=scale), reference)


def test_a_board_without_a_reference_is_told_so(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    assert reference_for("Raspberry Pi 5 Model B", tmp_path) is None
    assert "No reference for Raspberry Pi 5 Model B yet" in result_text(result_of(), None)


def test_every_committed_reference_is_whole_measured_and_named():
    files = sorted(REFERENCES.glob("*.json"))
    assert files
    for path in files:
        report = read_report(path)
        values = json.loads(path.read_text())
        assert not report.partial
        assert report.machine
        assert report.note
        assert not values["quick"]
        assert len(report.figures) > 15


def test_two_machines_side_by_side_are_a_table_and_bars(tmp_path):
    for name, board, scale in (("a", "pi4", 3.0), ("b", "pi5", 1.0)):
        write_report(tmp_path / f"{name}.json", result_of(board, scale))
    text = comparison_text(read_report(tmp_path / "a.json"), read_report(tmp_path / "b.json"))
    assert "These are two machines" in text
    assert "faster" in text
    first, second = [line for line in text.splitlines() if "█" in line][:2]
    assert first.count("█") == 30
    assert second.count("█") == 10


@given(st.floats(1e-3, 1e6), st.floats(1e-3, 1e6))
def test_the_longer_bar_is_the_larger_value(old, new):
    first, second = bars(compare({"x_fps": old}, {"x_fps": new}))
    assert (first.count("█") >= second.count("█")) or old < new
    assert max(first.count("█"), second.count("█")) == 30


QUIET = Condition(governors=("performance",), brakes=Brakes(True), load=0.0)


@pytest.mark.parametrize(
    ("before", "during", "after", "words"),
    [
        ({"governors": ("ondemand",)}, {}, {}, "the governor is ondemand"),
        ({"brakes": Brakes(True, ("under-voltage",))}, {}, {}, "before the benchmark: under"),
        ({}, {"brakes": Brakes(True, ("throttled",))}, {}, "during the benchmark: throttled"),
        ({}, {}, {"brakes": Brakes(True, (), ("under-voltage",))}, "own power supply"),
        ({"brakes": Brakes(True, (), ("throttled",))}, {},
         {"brakes": Brakes(True, (), ("throttled",))}, "not during the benchmark: throttled"),
        ({"brakes": Brakes(True, events=(("under-voltage", 1),))}, {},
         {"brakes": Brakes(True, events=(("under-voltage", 4),))}, "3 times under-voltage"),
        ({}, {}, {"celsius": 84.2}, "84 °C hot"),
        ({"load": 1.5}, {}, {}, "load was 1.50"),
        ({"memory": Memory(430.0, 40.0)}, {}, {}, "only 40 MiB"),
    ],
)
def test_what_spoils_a_benchmark_is_said_before_it(before, during, after, words):
    board = replace(read_board(BOARDS / "pi5", lambda command: None), cores=None)
    board = replace(board, condition=replace(QUIET, **before))
    found = spoilers(board, [replace(QUIET, **during)], replace(QUIET, **after), (), ())
    assert len(found) == 1
    assert words in found[0]


def test_a_board_at_rest_has_no_banner():
    board = replace(read_board(BOARDS / "pi5", lambda c: None), cores=None, condition=QUIET)
    assert spoilers(board, [QUIET], QUIET, (), ()) == ()


def test_other_work_is_named_before_and_during():
    board = replace(read_board(BOARDS / "pi5", lambda c: None), cores=None, condition=QUIET)
    found = spoilers(board, [], QUIET, (Process("apt", 9, 0.9),), (Process("ffmpeg", 8, 2.0),))
    assert "busy before the benchmark: apt (0.9 cores)" in found[0]
    assert "busy during the benchmark: ffmpeg (2.0 cores)" in found[1]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[models]\nthreads = 3\n"),
        ("[models]\nthreads = 1\n", "[models]\nthreads = 3\n"),
        ("[models]\nthreads=1 # few\n", "[models]\nthreads=3 # few\n"),
        ("[ models ]  # here\n# threads = 9\n", "[ models ]  # here\nthreads = 3\n# threads = 9\n"),
        ("[models]", "[models]\nthreads = 3\n"),
        ("a = 1\n[camera]\nb = 2", "a = 1\n[camera]\nb = 2\n\n[models]\nthreads = 3\n"),
        ("[models]\r\nthreads = 1\r\n", "[models]\r\nthreads = 3\r\n"),
        ("[other]\nthreads = 1\n[models]\nx = 2\n",
         "[other]\nthreads = 1\n[models]\nthreads = 3\nx = 2\n"),
        ("[models]\nx = 2\n[other]\nthreads = 1\n",
         "[models]\nthreads = 3\nx = 2\n[other]\nthreads = 1\n"),
    ],
)
def test_one_line_of_a_configuration_is_edited(before, after):
    assert with_threads(before, 3) == after
    assert with_threads(after, 3) == after


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models", "no TOML"),
        ("models = 3\n", "no table"),
        ("models = { threads = 1 }\n", "yourself"),
        ("models.threads = 1\n", "yourself"),
        ('a = """\n[models]\nthreads = 1\n"""\n', "yourself"),
    ],
)
def test_a_configuration_that_cannot_be_edited_safely_is_left_alone(text, words):
    with pytest.raises(UsageError, match=words):
        with_threads(text, 3)


def test_a_configuration_keeps_its_permissions_and_is_replaced_through_a_link(tmp_path):
    file, link = tmp_path / "gate.toml", tmp_path / "link.toml"
    file.write_text("[models]\nthreads = 1\n")
    file.chmod(0o640)
    link.symlink_to(file)
    assert write_threads(link, 2)
    assert not write_threads(link, 2)
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert file.read_text() == "[models]\nthreads = 2\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_configuration_keeps_its_owner_and_is_never_anybody_elses(tmp_path, monkeypatch):
    file, seen = tmp_path / "gate.toml", []
    file.write_text("[models]\nthreads = 1\n")
    os.chown(file, 0, 65534)
    file.chmod(0o640)
    give = configure._give

    def noting(handle: int, whose: os.stat_result) -> None:
        seen.append((stat.S_IMODE(os.fstat(handle).st_mode), os.fstat(handle).st_size))
        give(handle, whose)
        seen.append((stat.S_IMODE(os.fstat(handle).st_mode), os.fstat(handle).st_size))

    monkeypatch.setattr(configure, "_give", noting)
    assert write_threads(file, 2)
    now = file.stat()
    assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (0, 65534, 0o640)
    assert seen == [(0o600, 0), (0o640, 0)]


def test_a_configuration_that_cannot_be_given_back_stays_as_it_is(tmp_path, monkeypatch):
    file = tmp_path / "gate.toml"
    file.write_text("[models]\nthreads = 1\n")

    def refused(handle: int, whose: os.stat_result) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(configure, "_give", refused)
    with pytest.raises(OutputError, match=r"gate.toml cannot be written: Operation not permitted"):
        write_threads(file, 2)
    assert file.read_text() == "[models]\nthreads = 1\n" and [*tmp_path.iterdir()] == [file]


def test_the_table_is_printed_though_the_file_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").touch()
    session = SimpleNamespace(
        estimate=1.0, steps=lambda: iter([]), watch_board=lambda: None,
        finish=lambda whole: result_of(), result=result_of(),
    )
    options = {"json_file": str(tmp_path / "file" / "a.json"), "write_config": None}
    with pytest.raises(OutputError, match="--json"):
        command._measure(session, options)
    assert "detector alone" in capsys.readouterr().out


def test_looking_whether_a_file_can_be_written_leaves_all_as_it_was(tmp_path):
    (tmp_path / "a.json").write_text("before")
    check_writable("--json", tmp_path / "a.json")
    check_writable("--json", tmp_path / "b.json")
    assert [*tmp_path.iterdir()] == [tmp_path / "a.json"]
    assert (tmp_path / "a.json").read_text() == "before"


def test_a_gate_at_work_is_compared_with_both_networks_alone():
    time = Spread(50, 11.0, 10.0, 12.0, 13.0)
    made = result_of()
    cost = FrameCost((), time, bare_ms=10.0, ratio=1.3, calm_ratio=1.2, split=True)
    made = replace(made, cost=cost, loops=(replace(made.loops[0], frame=time),))
    assert figures(made)["at_work_to_bare_ratio"] == pytest.approx(1.1)
    assert "= 11.00 / 10.00 ms = 1.10 (goal: 1.15, reached)" in result_text(made, None)


@pytest.mark.parametrize("change", [{"loops": ()}, {"cost": None}])
def test_what_was_not_measured_is_compared_with_nothing(change):
    assert "at_work_to_bare_ratio" not in figures(replace(result_of(), **change))


def test_values_that_json_cannot_hold_never_reach_it():
    values = report_values(replace_ratio(result_of()))
    text = json.dumps(values, allow_nan=False)
    assert json.loads(text)["schema"] == SCHEMA
    assert report_file.KIND == KIND


def replace_ratio(result: Result) -> Result:
    """Return *result* with a time that is not a number, as after a broken clock."""
    broken = Spread(1, float("nan"), 1.0, 1.0, float("inf"))
    return replace(result, loops=(replace(result.loops[0], frame=broken),))


def test_help_and_docs_tell_the_same_exit_codes():
    told = CliRunner().invoke(bench, ["--help"]).output.split("Exit codes:")[1]
    codes = [line.split()[0] for line in told.strip().splitlines()]
    text = (ROOT / "docs/benchmark.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    assert codes == [row for row in rows if row.isdigit()] == ["0", "1", "2", "3", "4", "5", "130"]
