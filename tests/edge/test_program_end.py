"""The program ends with its own code though a thread hangs in a library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys, threading
import edge.__main__ as program
program._GRACE = 0.05
hangs = threading.Thread(target=threading.Event().wait, args=({wait},), daemon=True)
def main():
    hangs.start()
    print("done")
    sys.exit({code})
program.main = main
program.program()
"""


def test_ctrl_c_while_the_program_is_loaded_is_one_line():
    loading = """
import builtins
import edge.__main__ as program
load = builtins.__import__
def pressed(name, *rest):
    if name == "edge.cli":
        raise KeyboardInterrupt
    return load(name, *rest)
builtins.__import__ = pressed
program.program()
"""
    done = subprocess.run(
        [sys.executable, "-c", loading], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, "maskgate: stopped\n")


@pytest.mark.parametrize(("wait", "code"), [(60, 0), (60, 5), (0, 3), (60, None)])
def test_a_thread_that_hangs_does_not_change_the_exit_code(wait, code):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(wait=wait, code=code)], cwd=ROOT,
        capture_output=True, text=True, timeout=60, check=False,
    )
    assert (done.returncode, done.stdout) == (code or 0, "done\n"), done.stderr
