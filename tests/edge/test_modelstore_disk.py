"""A disk that is full or read-only, a store of another user: the gate goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge.model_files import CLASSIFIER, DETECTOR, copied_in, feed_of, make, released_version

ROOT = Path(__file__).resolve().parents[2]
RUNS = f"runs {released_version(DETECTOR)} {released_version(CLASSIFIER)}"
# A file system of its own, 1 MB small, in a namespace that ends with the program.
SHELL = (
    'mount -t tmpfs -o size={size}k tmpfs "$1" && cp -a "$2"/. "$1" && {more} '
    'exec "$3" -c "$4" "$1"'
)
PROGRAM = """
import sys
from pathlib import Path
from tests.edge.model_files import CLASSIFIER, feed_of, released

root = Path(sys.argv[1])
feed = feed_of(root)
detector, classifier = feed.start()
print("runs", detector.model.card.version, classifier.model.card.version)
for second in range(5):
    try:
        feed.work(float(second))
    except (OSError, ValueError) as error:
        print("error", error)
    swap = feed.poll()
    if swap is not None:
        print("swap", swap.model.card.version)
for note in feed.notes():
    print(note.event, note.words)
feed.close()
print(sorted(str(path.relative_to(root)) for path in root.rglob("*.tmp")))
"""


def on_disk(tmp_path: Path, files: Path, size: int = 1024, more: str = "") -> str:
    """Run the program on a copy of *files* on a small disk; return what it printed."""
    if shutil.which("unshare") is None or subprocess.run(
        ["unshare", "-rm", "true"], capture_output=True
    ).returncode:
        pytest.skip("no rights to mount a small disk here (unshare -rm)")
    mount = tmp_path / "mount"
    mount.mkdir()
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-ec", SHELL.format(size=size, more=more), "sh", str(mount),
         str(files), sys.executable, PROGRAM],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def probation(tmp_path: Path) -> Path:
    """A store with a detector that was on probation when the gate stopped in good order."""
    files = tmp_path / "files"
    copied_in(files, make(DETECTOR))
    feed = feed_of(files)
    feed.start()
    feed.work(0)
    feed.work(5)
    assert feed.poll() is not None
    feed.close()
    return files


def test_a_full_disk_refuses_no_file_and_says_so_once(tmp_path: Path) -> None:
    files = tmp_path / "files"
    copied_in(files, make(DETECTOR))
    said = on_disk(tmp_path, files, size=600)
    assert RUNS in said and "swap" not in said
    assert said.count("model_trouble cannot take in new.tflite: No space left on device") == 1
    assert "is tried again by itself" in said and "model_refused" not in said
    assert said.endswith("[]\n")


def test_a_disk_with_no_byte_left_still_runs_what_is_proved(
    tmp_path: Path, probation: Path
) -> None:
    fill = 'head -c 900000000 /dev/zero > "$1/fill" 2>/dev/null || true;'
    said = on_disk(tmp_path, probation, more=fill)
    # Nothing could be written of how it fares, so the one on probation does not run.
    assert RUNS in said and "model_trouble" in said and "No space left" in said


def test_a_read_only_store_runs_what_is_proved(tmp_path: Path, probation: Path) -> None:
    said = on_disk(tmp_path, probation, more='mount -o remount,ro "$1";')
    assert RUNS in said and "Read-only file system" in said and "swap" not in said
