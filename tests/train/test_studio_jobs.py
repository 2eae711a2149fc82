"""Background runs: real processes, stopped and resumed, and their notes in files."""

from __future__ import annotations

import errno
import io
import os
import signal
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from edge.errors import UsageError
from tests.train.studio_site import eventually
from train.studio.jobs import (
    Job,
    born_at,
    jobs_at_work,
    log_tail,
    read_job,
    resume_job,
    start_job,
    stop_job,
    write_job,
)
from train.studio.supervise import LARGEST_LOG, Log


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder in which ``python -m talk ...`` is a program of the test's."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "talk.py").write_text(
        "import signal, subprocess, sys, time\n"
        "what = sys.argv[1]\n"
        "print('hello', what, flush=True)\n"
        "if what == 'deaf': signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "if what in ('deaf', 'wait'):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(600)\n"
        "if what == 'loud': sys.stdout.write('x' * 6_000_000)\n"
        "if what == 'child':\n"
        "    helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],\n"
        "        stdout=subprocess.DEVNULL)\n"
        "    print('helper', helper.pid, flush=True)\n"
        "sys.exit(3 if what == 'fail' else 0)\n"
    )
    return folder


def start(program: Path, what: str, name: str = "run", runs: str = "runs") -> Path:
    """Start ``talk`` *what* as the run *name*; the code lies where it is started."""
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    root = program.parent / runs
    return start_job(root, name, "evaluate", ("talk", what), cwd=program)


def ended(folder: Path) -> Job:
    def over() -> Job | None:
        job = read_job(folder)
        return job if job is not None and not job.at_work else None

    job = eventually(over)
    assert isinstance(job, Job)
    return job


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set through the fixture first, so that what start() sets is taken back.
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))


@pytest.mark.parametrize(("what", "state", "code"), [("fine", "done", 0), ("fail", "failed", 3)])
def test_a_run_ends_with_its_state_and_its_log(
    program: Path, what: str, state: str, code: int
) -> None:
    folder = start(program, what)
    job = ended(folder)
    assert (job.state, job.code) == (state, code)
    assert f"hello {what}" in log_tail(folder) and f"exit code {code}" in log_tail(folder)


@pytest.mark.parametrize("what", ["wait", "deaf"])
def test_a_run_is_stopped_by_terminating_and_then_by_killing(program: Path, what: str) -> None:
    folder = start(program, what)
    eventually(lambda: "ready" in log_tail(folder))
    stop_job(folder, patience=0.3)
    job = ended(folder)
    assert job.state == "stopped"
    assert job.code == (-signal.SIGKILL if what == "deaf" else -signal.SIGTERM)


def test_a_stopped_run_is_resumed_with_the_same_command(program: Path) -> None:
    folder = start(program, "wait")
    stop_job(folder, patience=0.3)
    ended(folder)
    resume_job(folder.parent, folder.name)
    again = read_job(folder)
    assert again is not None and again.state == "running" and again.starts == 2
    assert again.command == ("talk", "wait")
    stop_job(folder, patience=0.3)
    ended(folder)


def test_the_run_goes_on_without_whoever_started_it(program: Path) -> None:
    folder = start(program, "wait")
    job = read_job(folder)
    assert job is not None
    # Neither a child of this process, nor of its session.
    assert os.getsid(job.supervisor) != os.getsid(0)
    with pytest.raises(ChildProcessError):
        os.waitpid(job.supervisor, os.WNOHANG)
    stop_job(folder, patience=0.3)
    ended(folder)


def test_what_a_run_started_ends_with_it(program: Path) -> None:
    folder = start(program, "child")
    ended(folder)
    helper = int(log_tail(folder).split("helper ")[1].split()[0])
    eventually(lambda: born_at(helper) == 0)


def test_a_run_whose_supervisor_is_gone_is_lost_and_can_be_resumed(program: Path) -> None:
    folder = start(program, "wait")
    eventually(lambda: "ready" in log_tail(folder))
    job = read_job(folder)
    assert job is not None
    os.kill(job.supervisor, signal.SIGKILL)
    eventually(lambda: (now := read_job(folder)) is not None and now.state == "lost")
    # Its own child is not to linger in the test's machine.
    for number in _processes_of(program):
        os.kill(number, signal.SIGKILL)
    resume_job(folder.parent, folder.name)
    stop_job(folder, patience=0.3)
    assert ended(folder).state == "stopped"


def _processes_of(program: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                here = (entry / "cwd").resolve() == program.resolve()
            except OSError:
                continue
            if here and b"talk" in words:
                found.append(int(entry.name))
    return found


def test_another_process_with_the_number_is_not_taken_for_it(tmp_path: Path) -> None:
    job = Job("evaluate", ("talk",), "/", "running", supervisor=os.getpid(), born=1)
    write_job(tmp_path, job)
    found = read_job(tmp_path)
    assert found is not None and found.state == "lost"
    write_job(tmp_path, replace(job, born=born_at(os.getpid())))
    found = read_job(tmp_path)
    assert found is not None and found.state == "running"


def test_a_log_grows_to_its_bound_and_no_further(program: Path) -> None:
    folder = start(program, "loud")
    assert ended(folder).state == "done"
    assert (folder / "log.txt").stat().st_size < LARGEST_LOG + 1000
    assert "left out" in log_tail(folder)


class Disk(io.BytesIO):
    """A log's file on a disk with *room* for so many bytes."""

    room = 10**9

    def write(self, text: bytes) -> int:  # type: ignore[override]
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = super().write(text[: self.room])
        self.room -= written
        return written


def test_a_log_says_where_a_full_disk_cost_it_lines() -> None:
    disk = Disk()
    log = Log(disk)
    disk.room = 9
    for chunk in (b"epoch 1\n", b"epoch 2\n", b"epoch 3\n"):
        log.copy(chunk)
    disk.room = 10**9
    log.copy(b"epoch 4\n")
    log.copy(b"epoch 5\n")
    before, missing, after = disk.getvalue().partition(b"\n[lines are missing here")
    assert before == b"epoch 1\ne" and missing
    assert after.endswith(b"]\nepoch 4\nepoch 5\n")


def test_a_run_goes_on_where_its_log_cannot_be_written(program: Path) -> None:
    folder = program.parent / "runs" / "run"
    folder.mkdir(parents=True)
    (folder / "log.txt").symlink_to("/dev/full")
    job = ended(start(program, "loud"))
    assert (job.state, job.code) == ("done", 0)


def test_room_for_the_note_of_its_end_is_kept_while_a_run_is_at_work(program: Path) -> None:
    folder = start(program, "wait")
    eventually(lambda: "ready" in log_tail(folder))
    assert (folder / ".spare").stat().st_size >= (folder / "job.json").stat().st_size
    stop_job(folder, patience=0.3)
    ended(folder)
    assert not (folder / ".spare").exists()


def test_a_run_is_stopped_where_nothing_can_be_written(program: Path) -> None:
    folder = start(program, "wait")
    eventually(lambda: "ready" in log_tail(folder))
    # In the place of a file that is written: as impossible as on a full disk.
    (folder / ".patience").mkdir()
    stop_job(folder, patience=0.3)
    assert ended(folder).state == "stopped"


def test_too_many_runs_at_once_are_refused_by_name(program: Path) -> None:
    folders = [start(program, "wait", f"run-{n}") for n in range(2)]
    try:
        assert jobs_at_work(program.parent / "runs") == ["run-0", "run-1"]
        with pytest.raises(UsageError, match="run-0 and run-1 are at work"):
            start(program, "fine", "third")
        with pytest.raises(UsageError, match="at work already"):
            resume_job(program.parent / "runs", "run-0")
    finally:
        for folder in folders:
            stop_job(folder, patience=0.3)
            ended(folder)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a b", "-rf", "x" * 61, "ü"])
def test_a_name_that_is_no_folder_of_its_own_is_refused(program: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no name for a run"):
        start(program, "fine", name)


@pytest.mark.parametrize("name", ["releases", "mlflow"])
def test_folders_beside_the_runs_are_no_runs(program: Path, name: str) -> None:
    with pytest.raises(UsageError, match="the name of another folder"):
        start(program, "fine", name)


def test_a_run_is_not_written_over_another(program: Path) -> None:
    ended(start(program, "fine"))
    with pytest.raises(UsageError, match="a run run already"):
        start(program, "fine")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"kind": "other"}', b"\xff"])
def test_a_damaged_note_is_no_job(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "job.json").write_bytes(content)
    assert read_job(tmp_path) is None


def test_the_log_shows_whole_lines_of_printable_text(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"first line\n" + b"\x1b[31mred\x07\n" * 50)
    tail = log_tail(tmp_path, 100)
    assert "\x1b" not in tail and "first" not in tail and tail.startswith("[31mred")
    assert log_tail(tmp_path / "none") == ""


def test_a_job_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    job = Job("classifier", ("train", "classifier"), "/", "done", 3, code=0, starts=1)
    write_job(tmp_path, job)
    assert read_job(tmp_path) == job
    assert msgspec.json.decode((tmp_path / "job.json").read_bytes())["kind"] == "classifier"
