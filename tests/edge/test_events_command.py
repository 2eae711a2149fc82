"""``maskgate events`` as typed: tables, CSV, JSON, plots, and one line when something is wrong."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

import edge
from edge.journal.command import events
from edge.journal.events import show_events
from edge.journal.kinds import KINDS
from edge.journal.rows import event_row, incident_row
from edge.journal.settings import JournalSettings, file_to_read
from edge.journal.show import CSV_COLUMNS
from edge.journal.store import Store
from edge.report.events import Event
from edge.rim import Rim

ROOT = Path(edge.__file__).parents[1]
NOW = datetime(2024, 1, 31, 9, 30, tzinfo=timezone.utc)
BERLIN = ZoneInfo("Europe/Berlin")


def judged(person: int, verdict: str, at: datetime, **more):
    event = Event(0.5, "person_judged", person, verdict, 0.987, (-1.5, 2, 3, 4), **more)
    return event_row(event, at, session="s1a2b3c4d", uptime=12.5, model="masks 2 (abc)")


@pytest.fixture
def file(tmp_path) -> Path:
    """A journal of three people, an alarm, a fault and a start, an hour and a day ago."""
    store = Store(tmp_path / "journal.db", max_days=3660, max_bytes=2**26, now=NOW)
    hour = NOW - timedelta(hours=1)
    store.append(
        [
            judged(9, "mask", NOW - timedelta(days=1)),
            incident_row("started", hour, session="s1", uptime=1.0, detail="maskgate 1.0"),
            judged(1, "mask", hour),
            judged(2, "no_mask", hour, detail='=cmd|"calc"!A1', picture="b.png"),
            event_row(
                Event(0.0, "alarm_started", 2, muted=True), hour, session="s1", uptime=1.0, model=""
            ),
            incident_row(
                "camera_fault", NOW, session="s1", uptime=2.0, fault="unplugged",
                detail="cannot be opened",
            ),
        ],
        NOW,
    )
    store.close()
    return tmp_path / "journal.db"


def empty(folder: Path) -> Path:
    Store(folder / "empty.db", max_days=1, max_bytes=2**22, now=NOW).close()
    return folder / "empty.db"


def shown(capsys, file: Path, *args: str, wait=lambda: False) -> str:
    """Return what ``maskgate events`` prints at NOW in Berlin."""
    context = events.make_context("events", ["--journal", str(file), *args])
    show_events(context.params, now=NOW, zone=BERLIN, wait=wait)
    return capsys.readouterr().out


def refused(*args: object) -> tuple[int, str]:
    """Return the exit code and what stands on standard error."""
    group = Rim(name="maskgate")
    group.add_command(events)
    done = CliRunner().invoke(group, ["events", *map(str, args)])
    assert len(done.stderr.splitlines()) <= 1 and "Traceback" not in done.stderr
    return done.exit_code, done.stderr


def test_the_table_is_in_local_time_and_words(capsys, file) -> None:
    lines = shown(capsys, file).splitlines()
    assert lines[0].split()[:3] == ["LOCAL", "TIME", "EVENT"]
    assert lines[4].split() == [
        "2024-01-31", "09:30:00", "judged", "2", "NO", "MASK", "99%", '=cmd|"calc"!A1,', "b.png",
    ]
    assert lines[5].endswith("muted")
    assert "CAMERA FAULT" in lines[6] and lines[6].endswith("unplugged, cannot be opened")
    assert len(lines) == 7


@pytest.mark.parametrize(
    ("args", "count"),
    [
        ([], 6),
        (["--last", "2"], 2),
        (["--day", "today"], 5),
        (["--day", "yesterday"], 1),
        (["--day", "2024-01-29"], 0),
        (["--since", "30min"], 1),
        (["--since", "yesterday", "--until", "yesterday"], 1),
        (["--until", "09:00"], 1),
        (["--kind", "started", "--kind", "camera_fault"], 2),
        (["--verdict", "no_mask"], 1),
        (["--verdict", "no_mask", "--verdict", "mask"], 3),
        (["--person", "2"], 2),
        (["--person", "2", "--kind", "alarm_started"], 1),
    ],
)
def test_filters_leave_what_was_asked_for(capsys, file, args, count) -> None:
    assert len(shown(capsys, file, "--json", *args).splitlines()) == count


def test_json_lines_hold_what_is_known(capsys, file) -> None:
    lines = [json.loads(line) for line in shown(capsys, file, "--json").splitlines()]
    assert lines[1] == {
        "id": 2, "utc": "2024-01-31T08:30:00.000Z", "session": "s1", "uptime": 1.0,
        "kind": "started", "detail": "maskgate 1.0",
    }
    assert lines[3]["confidence"] == 0.987 and lines[3]["box"] == [-1.5, 2, 3, 4]
    assert lines[4]["muted"] is True


def test_csv_has_the_documented_columns_and_runs_nothing(capsys, file, tmp_path) -> None:
    shown(capsys, file, "--csv", str(tmp_path / "out.csv"))
    with (tmp_path / "out.csv").open(newline="") as text:
        rows = list(csv.DictReader(text))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == 6
    assert rows[3]["detail"] == '\'=cmd|"calc"!A1'
    assert rows[3]["x0"] == "-1.5"
    assert rows[3]["utc"] == "2024-01-31T08:30:00.000Z"
    assert rows[3]["local"] == "2024-01-31T09:30:00.000+01:00"
    assert rows[1]["person"] == rows[1]["x0"] == ""


def test_csv_to_standard_output_is_the_same(capsys, file, tmp_path) -> None:
    shown(capsys, file, "--csv", str(tmp_path / "out.csv"))
    assert shown(capsys, file, "--csv", "-") == (tmp_path / "out.csv").read_text()


def test_following_prints_what_comes(capsys, file) -> None:
    store = Store(file, max_days=3660, max_bytes=2**26, now=NOW)
    rounds = iter([True, False])

    def wait() -> bool:
        store.append([judged(33, "incorrect", NOW)], NOW)
        return next(rounds)

    text = shown(capsys, file, "--follow", "--last", "1", wait=wait)
    store.close()
    assert [line.split()[2] for line in text.splitlines()[1:]] == ["CAMERA", "judged"]
    assert "WORN WRONG" in text


def test_the_day_is_drawn_in_the_terminal_and_into_a_file(capsys, file, tmp_path) -> None:
    text = shown(capsys, file, "--plot")
    assert text.startswith("Wednesday 2024-01-31: 2 people (1 mask, 0 unsure, 0 worn wrong, 1 no")
    assert shown(capsys, file, "--plot", str(tmp_path / "day.svg"), "--day", "yesterday") == ""
    assert "Tuesday 2024-01-30: 1 person" in (tmp_path / "day.svg").read_text()


@pytest.mark.parametrize("args", [["--kind", "no_such"], ["--csv", "-", "--person", "77"]])
def test_nothing_found_is_said_beside_the_output(capsys, file, args) -> None:
    context = events.make_context("events", ["--journal", str(file), *args])
    show_events(context.params, now=NOW, zone=BERLIN)
    said = capsys.readouterr()
    assert "nothing of the kind" in said.err
    assert said.out in ("", ",".join(CSV_COLUMNS) + "\n")


def test_an_empty_journal_is_said_and_is_no_error(tmp_path) -> None:
    code, line = refused("--journal", empty(tmp_path))
    assert code == 0 and "nothing has happened yet" in line


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--since", "soon"], "is no time; allowed"),
        (["--day", "someday"], "is no day; allowed"),
        (["--day", "today", "--since", "1h"], "--day and --since or --until exclude"),
        (["--since", "1h", "--until", "2h"], "--since is not before --until"),
        (["--csv", "-", "--json"], "--csv and --json exclude"),
        (["--follow", "--until", "10:00"], "--until does not go with it"),
        (["--follow", "--csv", "-"], "--csv does not go with it"),
        (["--plot", "--kind", "started"], "without --kind"),
        (["--plot", "day.pdf"], ".svg or .png"),
        (["--verdict", "naked"], "'naked' is not one of"),
        (["--last", "0"], "--last"),
        (["--last", str(2**63)], "--last"),
        (["--person", str(2**63)], "--person"),
        (["--day", "0001-01-01"], "is no day; allowed"),
        (["--day", "9999-12-31", "--plot"], "is no day; allowed"),
    ],
)
def test_options_that_are_not_allowed_are_refused_in_a_line(file, args, words) -> None:
    code, line = refused("--journal", file, *args)
    assert code == 2 and words in line


def test_a_missing_journal_is_told_with_what_to_do(tmp_path, monkeypatch) -> None:
    code, line = refused("--journal", tmp_path / "none.db")
    assert code == 5 and "there is no journal" in line and "--journal" in line
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    assert f"{tmp_path}/state/journal.db" in refused()[1]
    assert file_to_read({}) == Path("/var/lib/maskgate/journal.db")


def test_a_pipe_is_no_journal_and_nobody_waits_for_its_writer(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, line = refused("--journal", tmp_path / "pipe")
    assert code == 5 and "pipe or a device" in line


def test_a_table_never_takes_the_place_of_a_pipe_or_a_device(file, tmp_path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    code, line = refused("--journal", file, "--csv", pipe)
    assert code == 5 and "pipe or a device" in line
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("option", "target"),
    [
        ("--csv", "journal.svg"), ("--plot", "journal.svg"), ("--csv", "../gate/journal.svg"),
        ("--csv", "journal.svg-wal"), ("--csv", "journal.svg-shm"), ("--plot", "link.svg"),
        ("--csv", "hard.csv"),
    ],
)
@pytest.mark.parametrize("journal", ["journal.svg", "link.svg"])
def test_the_journal_that_is_read_is_never_written(file, tmp_path, journal, option, target) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    file.rename(gate / "journal.svg")
    (gate / "link.svg").symlink_to("journal.svg")
    (gate / "hard.csv").hardlink_to(gate / "journal.svg")
    before = (gate / "journal.svg").read_bytes()
    code, line = refused("--journal", gate / journal, option, f"{gate}/{target}")
    assert code == 2 and "would overwrite the journal" in line
    assert (gate / "journal.svg").read_bytes() == before


def test_odd_values_are_damage_in_every_view(file, tmp_path) -> None:
    with sqlite3.connect(file) as raw:
        raw.execute("UPDATE event SET confidence = 'x' WHERE id = 4")
    for view in ([], ["--json"], ["--csv", tmp_path / "o.csv"], ["--plot", "--day", "2024-01-31"]):
        code, line = refused("--journal", file, *view)
        assert code == 5 and "is damaged (event 4: confidence is 'x')" in line
    assert not (tmp_path / "o.csv").exists()


def test_a_file_that_cannot_be_written_is_told(file, tmp_path) -> None:
    for option in ("--csv", "--plot"):
        code, line = refused("--journal", file, option, tmp_path / "no" / "such.svg")
        assert code == 5 and "cannot write" in line


def test_help_names_every_exit_code_and_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from edge.journal.command import events\n"
        "try: events(['--help'], prog_name='maskgate events')\n"
        "except SystemExit: pass\n"
        "print([name for name in ('sqlite3', 'cv2', 'numpy', 'plotext') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert "130  stopped by Ctrl-C" in done.stdout
    # Every option but --help says what happens without it.
    assert done.stdout.count("default is") >= 12


def test_the_manual_names_every_kind_column_and_setting() -> None:
    manual = (ROOT / "docs/journal.md").read_text(encoding="utf-8")
    for word in (*KINDS, *CSV_COLUMNS, *JournalSettings.__dataclass_fields__):
        assert f"`{word}`" in manual, word


def test_the_configuration_names_the_journal(capsys, file, tmp_path) -> None:
    config = tmp_path / "gate.toml"
    config.write_text(f'[journal]\nfile = "{file}"\n')
    done = CliRunner().invoke(events, ["--config", str(config), "--last", "2"])
    assert done.exit_code == 0 and len(done.stdout.splitlines()) == 3
