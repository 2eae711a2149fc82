"""The folders of the gate: there, its own, and without what killed programs left behind.

The one check that mends, because its mends are safe: an empty folder that the configuration
names, in a folder that exists, with that folder's owner; and a temporary file that no program
will ever finish.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from edge.doctor.accounts import read_users
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, skipped, together, warning
from edge.doctor.past import journal_path, state_environ
from edge.doctor.places import place
from edge.files import given_folder

# As edge.files names them while it writes: .NAME.PROCESS.tmp
_TEMPORARY = re.compile(r"\.[^/]+\.(\d+)\.tmp")
_OLD = 3600.0  # seconds; a process number may be another program's by now, an hour tells
_MOST = 1000
_SERVICE_WRITES = ("the model store", "the journal")


def check_folders(ctx: Context) -> Finding:
    """Every folder that the configuration names or the service uses; old temporaries in them."""
    config = ctx.settings()
    environ = state_environ(ctx)
    parts = []
    state = given_folder(environ, "STATE_DIRECTORY")
    models = config.updates.root(environ)
    wanted: list[tuple[str, Path]] = []
    if state is not None:
        if place(state) == "absent":
            parts.append(warning(
                f"{state}, the state folder, is not there",
                "systemd makes it: sudo systemctl restart maskgate",
            ))
        else:
            inbox = config.updates.inbox(environ)
            wanted += [("the model store", models), ("incoming models", inbox)]
    elif config.updates.folder:
        wanted.append(("the model store", models))
    journal = journal_path(ctx)
    if journal is not None and config.journal.file:
        wanted.append(("the journal", journal.parent))
    if config.sound.enabled and config.sound.folder:
        wanted.append(("own sounds", Path(config.sound.folder).expanduser()))
    parts += [_folder(ctx, what, path) for what, path in dict.fromkeys(wanted)]
    swept = {path for path in (state, models, journal.parent if journal else None) if path}
    parts += [part for folder in sorted(swept) for part in _temporaries(ctx, folder)]
    if not parts:
        return skipped("the gate keeps nothing when it is run by hand")
    return together(*parts)


def _folder(ctx: Context, what: str, path: Path) -> Finding:
    there = place(path)
    if there == "folder":
        return _owned(ctx, what, path) if what in _SERVICE_WRITES else ok(f"{what} in {path}")
    if there == "hidden":
        return skipped(f"{path} may not be looked at by this user", "use sudo")
    if there != "absent" or os.path.lexists(path):
        return failure(f"{path}, for {what}, is no folder", "move it away")
    if place(path.parent) != "folder":
        # A path that is wrong from further up is a mistake, and nothing to make.
        return warning(
            f"{path}, for {what}, is not there, nor is {path.parent}",
            "make it, or name another in gate.toml",
        )
    missing = f"{path}, for {what}, is not there"
    if not ctx.wishes.mend:
        return warning(missing, "maskgate doctor --mend makes it")
    try:
        make_folder(path)
    except OSError as error:
        return warning(f"{missing} and cannot be made ({error.strerror or error})", "use sudo")
    return replace(ok(f"{what} in {path}"), mended=f"made {path}")


def _owned(ctx: Context, what: str, path: Path) -> Finding:
    """Return whether *path* is the service's own to write."""
    user = ctx.service.user
    known = read_users(ctx.root).get(user)
    mine = known is None or known.number == path.stat().st_uid
    if ctx.service.installed and user != "root" and not mine:
        return failure(
            f"{path}, for {what}, is not {user}'s, as whom the service runs",
            f"sudo chown -R {user}: {path}",
        )
    return ok(f"{what} in {path}")


def make_folder(path: Path) -> None:
    """Make the folder *path*, with the owner and the rights of the one that it is in.

    Raises OSError where it cannot be made.
    """
    # By handles: who owns the folder above must not be able to lead root astray with a link.
    above = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        owner = os.fstat(above)
        os.mkdir(path.name, 0o700, dir_fd=above)
        made = os.open(path.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        try:
            if os.geteuid() == 0:
                os.fchown(made, owner.st_uid, owner.st_gid)
            os.fchmod(made, stat.S_IMODE(owner.st_mode) & 0o777)
        finally:
            os.close(made)
        os.fsync(above)
    finally:
        os.close(above)


def _temporaries(ctx: Context, folder: Path) -> Iterator[Finding]:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        with os.scandir(handle) as entries:
            names = sorted(entry.name for entry in islice(entries, _MOST))
        stale = [name for name in names if _stale(ctx, handle, name)]
        if not stale:
            return
        words = f"{len(stale)} unfinished files of ended programs in {folder}"
        if not ctx.wishes.mend:
            yield warning(words, "maskgate doctor --mend deletes them")
            return
        gone = 0
        for name in stale:
            with suppress(OSError):
                os.unlink(name, dir_fd=handle)
                gone += 1
        if gone < len(stale):
            yield warning(words, "use sudo")
        else:
            yield replace(ok(f"no unfinished files in {folder}"), mended=f"deleted {words}")
    finally:
        os.close(handle)


def _stale(ctx: Context, handle: int, name: str) -> bool:
    found = _TEMPORARY.fullmatch(name)
    if found is None or (ctx.root / "proc" / found[1]).exists():
        return False
    try:
        told = os.stat(name, dir_fd=handle, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISREG(told.st_mode) and told.st_mtime < ctx.now.timestamp() - _OLD

