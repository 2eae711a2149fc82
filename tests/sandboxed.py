"""Runs a Python file under the system-call rules of a unit, as systemd would set them.

python sandboxed.py FILE < JSON, with the keys of :class:`Rules`.  systemd itself only does this
as the first process of a machine; the same kernel rules are set here through the same library.
"""

from __future__ import annotations

import ctypes
import errno
import json
import runpy
import sys
from typing import Any

_ALLOW = 0x7FFF0000
_MASKED_EQUAL, _EQUAL = 7, 4
_WRITE, _EXEC, _SHM_EXEC = 2, 4, 0o100000
_SET_MDWE, _REFUSE_EXEC_GAIN = 65, 1


class _Compare(ctypes.Structure):
    _fields_ = [
        ("arg", ctypes.c_uint), ("op", ctypes.c_int),
        ("a", ctypes.c_uint64), ("b", ctypes.c_uint64),
    ]


def _error(number: int) -> int:
    return 0x00050000 | number


class _Filter:
    def __init__(self, library: ctypes.CDLL, default: int) -> None:
        self._library = library
        self._context = ctypes.c_void_p(library.seccomp_init(default))

    def rule(self, action: int, name: str, *compare: tuple[int, int, int, int]) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others are of another processor
            given = (_Compare * len(compare))(*compare)
            code = self._library.seccomp_rule_add_array(
                self._context, action, number, len(compare), given
            )
            assert code == 0, f"{name}: {code}"

    def load(self) -> None:
        code = self._library.seccomp_load(self._context)
        assert code == 0, f"seccomp_load: {code}"


def confine(rules: dict[str, Any]) -> None:
    """Set the rules for this process: calls, families, and who may write code."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p,
    ]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    if rules["write_execute"] == "prctl":
        assert ctypes.CDLL(None).prctl(_SET_MDWE, _REFUSE_EXEC_GAIN, 0, 0, 0) == 0
    else:
        memory = _Filter(library, _ALLOW)
        both = _WRITE | _EXEC
        memory.rule(_error(errno.EPERM), "mmap", (2, _MASKED_EQUAL, both, both))
        for name in ("mprotect", "pkey_mprotect"):
            memory.rule(_error(errno.EPERM), name, (2, _MASKED_EQUAL, _EXEC, _EXEC))
        memory.rule(_error(errno.EPERM), "shmat", (2, _MASKED_EQUAL, _SHM_EXEC, _SHM_EXEC))
        memory.load()
    families = _Filter(library, _ALLOW)
    for family in set(range(48)) - set(rules["families"]):
        families.rule(_error(errno.EAFNOSUPPORT), "socket", (0, _EQUAL, family, 0))
    families.load()
    calls = _Filter(library, _error(errno.EPERM))
    for name in rules["calls"]:
        calls.rule(_ALLOW, name)
    calls.load()


if __name__ == "__main__":
    confine(json.load(sys.stdin))
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
