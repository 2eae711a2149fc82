"""``maskgate doctor`` as typed: lines, JSON, exit codes, and a doctor that never falls ill."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import edge
from edge.doctor import checks as all_checks
from edge.doctor.asking import ask
from edge.doctor.checks import CHECKS, Check, choose_checks
from edge.doctor.command import doctor
from edge.doctor.context import Wishes
from edge.doctor.fakes import NOW, FakePrograms, fake_context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.doctor.report import exit_code, finding_line, report_values, summary_line
from edge.doctor.runner import run_check, run_checks
from edge.doctor.session import Visit, visit
from edge.errors import OutputError, UsageError
from edge.rim import Rim

ROOT = Path(edge.__file__).parents[1]


@pytest.fixture
def programs(tmp_path) -> FakePrograms:
    return FakePrograms(tmp_path / "bin")


@pytest.fixture
def ctx(tmp_path, programs):
    return fake_context(tmp_path, programs)


def typed(*arguments: str, environ: dict[str, str] | None = None):
    main = Rim("maskgate")
    main.add_command(doctor)
    return CliRunner().invoke(main, ["doctor", *arguments], env=environ)


# Findings.


def test_several_findings_are_as_bad_as_the_worst_and_say_what_is_wrong():
    whole = together(ok("fine"), warning("dark", "light"), failure("gone", "cable"), skipped("?"))
    assert whole == Finding("failure", "gone; dark", "cable; light")
    assert together(ok("one"), skipped("two")) == Finding("ok", "one; two")


def test_a_finding_is_one_line_with_what_to_do():
    finding = replace(failure("the cable is out", "put it in"), name="camera")
    assert finding_line(finding) == "FAILURE  camera             the cable is out -> put it in"
    assert "\x1b[31m" in finding_line(finding, colour=True)


def test_the_summary_counts_the_worst_first():
    findings = [ok(""), failure(""), failure(""), skipped("")]
    assert summary_line(findings) == "2 failures, 0 warnings, 1 ok, 1 skipped"


@pytest.mark.parametrize(
    ("findings", "strict", "code"),
    [
        ([ok(""), skipped("")], True, 0), ([ok(""), warning("")], False, 0),
        ([warning("")], True, 10), ([warning(""), failure("")], False, 11),
        ([failure("")], True, 11), ([], True, 0),
    ],
)
def test_the_exit_code_sums_it_up(findings, strict, code):
    assert exit_code(findings, strict) == code


def test_the_json_has_a_version_and_every_finding():
    values = report_values(
        [replace(warning("a", "b"), name="disk")], maskgate="1", machine="m", at=NOW, code=0
    )
    assert values["format"] == 1
    assert values["findings"] == [
        {"name": "disk", "level": "warning", "found": "a", "advice": "b", "mended": ""}
    ]


# A doctor that never falls ill.


def raising(error: BaseException):
    def looks(ctx):
        raise error

    return looks


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        (ZeroDivisionError("by zero"), "failure", "the check itself failed (ZeroDivisionError"),
        (SystemExit(3), "failure", "the check itself failed (SystemExit"),
        (OutputError("GPIO 17 is taken"), "failure", "GPIO 17 is taken"),
    ],
)
def test_a_check_that_fails_is_a_finding_and_the_next_is_done(ctx, error, level, words):
    bad = Check("bad", "", 5, raising(error))
    good = Check("good", "", 5, lambda ctx: ok("fine"))
    first, second = run_checks((bad, good), ctx)
    assert (first.name, first.level) == ("bad", level)
    assert words in first.found
    assert "\n" not in first.found
    assert second == replace(ok("fine"), name="good")


def test_a_check_that_hangs_is_given_up(ctx):
    forever = threading.Event()
    hanging = Check("hanging", "", 0.05, lambda ctx: ok(str(forever.wait())))
    try:
        found = run_check(hanging, ctx)
    finally:
        forever.set()
    assert found.level == "failure"
    assert "gave up after 0.05 s" in found.found


def test_a_program_that_hangs_is_killed(programs):
    programs.hangs("vcgencmd")
    answer = ask(("vcgencmd", "get_throttled"), 0.2, programs.environ())
    assert (answer.code, answer.why) == (None, "vcgencmd gave no answer within 0.2 s")


@pytest.mark.parametrize("name", [check.name for check in CHECKS])
def test_no_check_raises_on_a_machine_that_tells_nothing(ctx, name):
    (check,) = choose_checks([name])
    found = run_check(check, replace(ctx, wishes=Wishes()))
    assert "itself failed" not in found.found
    assert found.found


@pytest.mark.parametrize("name", [check.name for check in CHECKS])
def test_no_check_raises_and_no_pin_is_touched_while_the_configuration_is_wrong(ctx, name):
    def nobody():
        raise AssertionError("pins were opened")

    wrong = replace(ctx, config=None, problems=("gate.toml: alarm is 3",), open_pins=nobody)
    (check,) = choose_checks([name])
    assert "itself failed" not in run_check(check, wrong).found


def test_more_outputs_may_take_longer(ctx):
    (pins,) = choose_checks(["pins"])
    one = next(iter(ctx.config.outputs.values()))
    assert pins.limit([one] * 8) > pins.limit([one]) > pins.limit() == pins.seconds


def test_checks_are_chosen_by_name_and_a_wrong_name_is_told():
    assert [check.name for check in choose_checks(["disk", "pins"], ["disk"])] == ["pins"]
    with pytest.raises(UsageError, match="did you mean camera"):
        choose_checks(["camra"])


# A visit.


@pytest.fixture
def one_check(monkeypatch):
    """Let the doctor do one check only, which needs what the service has."""

    def use(looks):
        check = Check("pins", "", 5, looks, alone=True)
        monkeypatch.setattr(all_checks, "CHECKS", (check,))

    return use


def visited(tmp_path, programs, **wishes):
    told = []
    outcome = visit(
        Visit(**wishes), told.append, lambda line: None, root=tmp_path, ask=programs.ask,
        environ={}, now=NOW,
    )
    assert tuple(told) == outcome.findings
    return outcome


def commands(programs) -> list[str]:
    return [call.split()[1] for call in programs.calls if not call.startswith("systemctl show")]


def test_the_service_goes_on_unless_it_is_to_be_stopped(tmp_path, programs, one_check):
    programs.unit()
    one_check(lambda ctx: ok(f"running: {ctx.service.running}"))
    outcome = visited(tmp_path, programs)
    assert outcome.findings[0].found == "running: True"
    assert commands(programs) == []


def test_a_stopped_service_is_started_again_and_its_checks_see_it_stopped(
    tmp_path, programs, one_check
):
    programs.unit()
    one_check(lambda ctx: ok(f"running: {ctx.service.running}"))
    outcome = visited(tmp_path, programs, stop_service=True)
    assert [f.name for f in outcome.findings] == ["pins", "restart"]
    assert outcome.findings[0].found == "running: False"
    assert commands(programs) == ["stop", "start"]


def test_a_service_that_was_not_running_is_not_started(tmp_path, programs, one_check):
    programs.unit(ActiveState="inactive")
    one_check(lambda ctx: ok(""))
    visited(tmp_path, programs, stop_service=True)
    assert commands(programs) == []


def test_a_service_that_may_not_be_stopped_is_an_error_and_left_alone(
    tmp_path, programs, one_check
):
    programs.says("systemctl", "Interactive authentication required.", when="stop *", code=1)
    programs.unit()
    one_check(lambda ctx: ok(""))
    with pytest.raises(OutputError, match=r"authentication required\); use sudo"):
        visited(tmp_path, programs, stop_service=True)
    assert commands(programs) == ["stop"]


def test_a_service_that_does_not_start_again_is_a_failure(tmp_path, programs, one_check):
    programs.says("systemctl", "Job failed.", when="start *", code=1)
    programs.unit()
    one_check(lambda ctx: ok(""))
    outcome = visited(tmp_path, programs, stop_service=True)
    assert outcome.code == 11
    assert "does not start (Job failed)" in outcome.findings[-1].found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_doctor_starts_the_service_again(tmp_path, programs, one_check, number):
    programs.unit()
    forever = threading.Event()

    def interrupted(ctx):
        os.kill(os.getpid(), number)
        forever.wait(20)
        return ok("")

    one_check(interrupted)
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt):
        visited(tmp_path, programs, stop_service=True)
    forever.set()
    assert commands(programs) == ["stop", "start"]
    assert signal.getsignal(number) is before


def test_secrets_are_taken_out_of_findings(tmp_path, programs, one_check):
    config = tmp_path / "gate.toml"
    config.write_text('[camera]\nsource = "rtsp://door:Sesam99x@cam/1"\n')
    one_check(lambda ctx: failure("cannot open rtsp://door:Sesam99x@cam/1", "Sesam99x is wrong"))
    outcome = visited(tmp_path, programs, config=config)
    assert "Sesam99x" not in json.dumps(outcome.report)


@pytest.mark.parametrize("name", ["one.gif", "none/one.jpg", "."])
def test_a_picture_with_a_wrong_name_is_refused_at_once(tmp_path, programs, name):
    with pytest.raises(UsageError, match="--picture"):
        visited(tmp_path, programs, wishes=Wishes(picture=tmp_path / name))


@pytest.mark.parametrize(
    "arguments", [("--bundle", "a" * 300 + ".tar.gz"), ("--picture", "a" * 300 + ".jpg"),
                  ("--bundle", "/proc/a.tar.gz"), ("--picture", "/proc/a.jpg")],
)
def test_a_place_that_cannot_be_written_is_one_line_and_code_5_at_once(arguments):
    result = typed(*arguments, "--only", "python")
    assert result.exit_code == 5
    assert "cannot be written" in result.output and arguments[0] in result.output
    assert len(result.output.splitlines()) == 1


def test_names_of_host_and_users_leave_the_doctors_words_readable(
    tmp_path, programs, one_check, monkeypatch
):
    monkeypatch.setattr(socket, "gethostname", lambda: "filiale7")
    networks = tmp_path / "etc/NetworkManager/system-connections"
    networks.mkdir(parents=True)
    (networks / "x").write_text("[wifi]\nssid=filiale7\n[wifi-security]\npsk=offen4you\n")
    config = tmp_path / "erika.toml"
    config.write_text('[camera]\nsource = "rtsp://erika:Sesam99x@cam/1"\n')
    advice = f"sudo chgrp maskgate {config} on filiale7, not as erika, offen4you"
    one_check(lambda ctx: failure("rtsp://erika:Sesam99x@cam/1", advice))
    outcome = visited(tmp_path, programs, config=config, bundle=tmp_path / "g.tar.gz")
    assert outcome.findings[0].found == "rtsp://(hidden)@cam/1"
    assert outcome.findings[0].advice == (
        f"sudo chgrp maskgate {config} on filiale7, not as (hidden), (Wi-Fi)"
    )
    with tarfile.open(tmp_path / "g.tar.gz") as archive:
        bundled = [archive.extractfile(one).read() for one in archive.getmembers()]
    assert not any(b"filiale7," in one for one in bundled)
    assert any(b" on (host)," in one or b" on (Wi-Fi)," in one for one in bundled)


def test_a_bundle_is_written_by_a_visit(tmp_path, programs, one_check):
    one_check(lambda ctx: ok("fine"))
    visited(tmp_path, programs, bundle=tmp_path / "gate.tar.gz")
    assert (tmp_path / "gate.tar.gz").stat().st_size > 500


# What is typed.


def test_the_list_names_every_check_and_does_none():
    lines = typed("--list").output.splitlines()
    assert [line.split()[0] for line in lines] == [check.name for check in CHECKS]


def test_lines_come_with_a_summary(tmp_path):
    result = typed("--only", "python", "--only", "broker")
    lines = result.output.splitlines()
    assert lines[0].startswith("ok       python")
    assert lines[1].startswith("skipped  broker")
    assert lines[2] == "0 failures, 0 warnings, 1 ok, 1 skipped"
    assert result.exit_code == 0


def test_json_is_all_there_is_on_standard_output(tmp_path):
    config = tmp_path / "gate.toml"
    config.write_text("[alarm]\nmax_seconds = 0\n")
    result = typed("--json", "--only", "configuration", "--config", str(config))
    values = json.loads(result.stdout)
    assert values["exit_code"] == result.exit_code == 11
    assert values["findings"][0]["level"] == "failure"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--only", "camra"], "did you mean camera"), (["--bundle", "x.zip"], ".tar.gz")],
)
def test_a_wrong_option_is_one_line_and_code_2(arguments, words):
    result = typed(*arguments)
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.splitlines()) == 1


def test_every_option_has_its_default_in_the_help():
    for option in doctor.params:
        assert "default" in (option.help or "") or option.name == "list_them", option.name


def test_the_docs_tell_of_every_check_and_exit_code():
    text = (ROOT / "docs/doctor.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    assert [row[1:-1] for row in rows if row[1:-1] in {c.name for c in CHECKS}] == [
        check.name for check in CHECKS
    ]
    assert {"0", "1", "2", "5", "10", "11", "130"} <= set(rows)


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from edge.doctor.command import doctor\n"
        "heavy = {'cv2', 'numpy', 'gpiozero', 'paho', 'edge.config'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
