"""The folder in which models are kept, and its one state file: every effect on the disk.

::

    models/
      incoming/                        what people copy into; only ever read here
      store/mask-classifier-3-4f0c....tflite   our own copies, named by content
      state.json                       which one runs, and what is known of each
      status.json                      one line for machines
      lock, running                    held while writing; held by the gate at work

Every change is: a copy under a temporary name, fsync, rename, fsync of the folder, and then
the one rename of ``state.json`` that makes it count.  What a kill leaves behind before that
rename is swept up by :meth:`Store.recover`; after it, there is nothing left to do.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge.errors import ModelError, OutputError
from edge.files import abandoned, opened_to_lock, regular, replaced, sync_folder
from edge.modelfile import LARGEST_FILE, Kind
from edge.modelstore import state as states
from edge.modelstore.arrival import unreadable
from edge.modelstore.state import STATE_FORMAT, Change, Known, State

Step = Callable[[str], None]
LONGEST_LOCK = 10.0  # seconds
_CHUNK = 1024 * 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LARGEST_STATE = 4 * 1024 * 1024


class Unfinished(Exception):
    """Error raised when a file changed while it was read: it is still being copied."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Our own copy of a file that was copied in: its *path* in the store and its SHA-256."""

    path: Path
    sha256: str


def now_text() -> str:
    """Return the time of day, ISO 8601 in UTC, for people to read."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


class Store:
    """The models kept in the folder *root*, which is made when something is first written.

    *step* is called with a name after each step of a change; the tests kill the program there.
    *today* gives the time of day for notes.
    """

    def __init__(
        self,
        root: Path,
        *,
        step: Step = lambda name: None,
        today: Callable[[], str] = now_text,
    ) -> None:
        self.root = root
        self.folder = root / "store"
        self.state_path = root / "state.json"
        self.status_path = root / "status.json"
        self.step = step
        self.today = today
        self._copies = 0

    def read(self) -> State:
        """Return what is remembered.

        Raises ModelError when the file is damaged, OutputError when it cannot be read.
        """
        import msgspec

        try:
            with regular(self.state_path) as file:
                content = file.read(_LARGEST_STATE)
            state = msgspec.json.decode(content, type=State)
        except FileNotFoundError:
            return State()
        except OSError as error:
            raise OutputError(
                f"cannot read {self.state_path}: {error.strerror or error}; run this as the user "
                "of the gate, or with sudo"
            ) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ModelError(f"{self.state_path} is damaged: {error}") from error
        wrong = [sha for sha in state.models if not _DIGEST.fullmatch(sha)]
        if wrong or state.format != STATE_FORMAT:
            raise ModelError(f"{self.state_path} is damaged, or of a newer maskgate")
        return state

    def stamp(self) -> tuple[int, int]:
        """Return what changes whenever the state file does; (0, 0) where there is none."""
        try:
            about = self.state_path.stat()
        except OSError:
            return (0, 0)
        return (about.st_mtime_ns, about.st_ino)

    def update(self, change: Change, name: str = "state") -> State:
        """Write what *change* makes of the state, and return it; *name* is the step's.

        Raises OutputError when it cannot be written: then all is as it was.
        """
        with self._locked():
            before = self.read()
            after = change(before)
            if after != before:
                self._write(after, name)
            return after

    def path_of(self, known: Known) -> Path:
        """Return where the file of *known* is in the store."""
        return self.folder / f"{known.kind}-{known.version}-{known.sha256[:16]}.tflite"

    @contextmanager
    def taken_in(self, source: Path, shown: str) -> Iterator[Copy]:
        """Copy *source*, a regular file, into the store for the time of the block.

        It is read once, and only the copy is looked at afterwards.  *shown* is its name in
        messages.  Raises ModelError for what cannot be a model file, Unfinished when it changes
        while it is read, OutputError when there is no room or no right to write.
        """
        self._copies += 1
        path = self.folder / f".new-{os.getpid()}-{id(self)}-{self._copies}.tmp"
        with self._telling(f"cannot take in {shown}"):
            self._make_folders()
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "wb") as file:
            try:
                # Held as long as somebody works on it: what nobody holds is left from a kill.
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield Copy(path, self._copied(source, file, shown))
            finally:
                path.unlink(missing_ok=True)

    def adopt(self, copy: Copy, known: Known, change: Change, name: str) -> State:
        """Give *copy* its place in the store, write what *change* makes of the state, return it.

        Both under one lock: nobody may sweep up a file that the state does not know yet.  Raises
        what *change* raises, and OutputError when it cannot be written: then all is as before.
        """
        path = self.path_of(known)
        with self._locked():
            before = self.read()
            after = change(before)
            with self._telling(f"cannot keep {known.name}"):
                os.replace(copy.path, path)
            try:
                with self._telling(f"cannot keep {known.name}"):
                    sync_folder(self.folder)
                self.step("placed")
                self._write(after, name)
            except OutputError:
                if path.name not in {self.path_of(one).name for one in states.stored(before)}:
                    path.unlink(missing_ok=True)
                raise
            return after

    def sweep(self) -> list[str]:
        """Remove every file that the state does not know; return their names."""
        swept: list[str] = []
        try:
            with self._locked():
                wanted = {self.path_of(known).name for known in states.stored(self.read())}
                for path in [*self.root.glob(".*.tmp"), *self.folder.glob("*")]:
                    mine = path.parent == self.root or path.name.startswith(".new-")
                    if path.name in wanted or (mine and not abandoned(path)):
                        continue
                    path.unlink(missing_ok=True)
                    swept.append(path.name)
        except (OSError, ModelError, OutputError):
            # A store that cannot be written to or read is told of where it matters.
            pass
        return swept

    def recover(self, released: Mapping[Kind, int]) -> State:
        """Return the state to start with, after whatever ended the program the last time.

        A model that was on probation in a run that did not end in good order is rolled back; a
        newer one of *released* (versions) takes over; files without an owner go.  A damaged
        state file is put aside, and the released models run.  Raises OutputError when nothing
        can be written.
        """
        with self._telling("cannot prepare the folder of models"):
            self._make_folders()
        self._put_aside_if_damaged()

        def change(state: State) -> State:
            for kind in states.KINDS:
                slot, model = state.slot(kind), state.active(kind)
                words = states.words_of(model, kind)
                if slot.active and model is None:
                    state = states.rolled_back(state, kind, "")
                elif slot.probation is not None and slot.probation.starts > 0:
                    reason = "the gate ended out of order while it was on probation"
                    state = self.rolled(state, kind, reason)
                after = states.overtaken(state, kind, released.get(kind, 0))
                if after != state:
                    told = f"the released {kind} {released[kind]} is newer than {words} and runs"
                    state = states.noted(after, self.today(), "model_running", told)
            return state

        state = self.update(change, "recovering")
        self.sweep()
        self.step("recovered")
        return state

    def rolled(self, state: State, kind: Kind, reason: str) -> State:
        """Return *state* with *kind*'s model rolled back for *reason*, and a note on it."""
        model = state.active(kind)
        if model is None:
            return state
        after = states.rolled_back(state, kind, reason)
        now = states.words_of(after.active(kind), kind)
        words = f"{states.words_of(model, kind)} was rolled back: {reason}; {now} runs again"
        name = states.words_of(model, kind)
        return states.noted(after, self.today(), "model_rolled_back", words, name)

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Be the gate that works with this store, for the time of the block; False if one does."""
        try:
            self._make_folders()
            file = opened_to_lock(self.root / "running")
        except OSError:
            yield True
            return
        with file:
            # Root's would keep the service out, which then took itself for the only one.
            with contextlib.suppress(OSError):
                self._give(file)
            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True

    def write_status(self, line: str) -> None:
        """Write *line* as the status file; a status that cannot be written harms nothing.

        Whoever copies models in may read what became of them; nothing in it is secret.
        """
        with (
            contextlib.suppress(OSError, OutputError),
            self._locked(),
            replaced(self.status_path) as file,
        ):
            self._give(file)
            os.fchmod(file.fileno(), 0o644)
            file.write(line.encode() + b"\n")

    def _write(self, state: State, name: str) -> None:
        import msgspec

        content = msgspec.json.format(msgspec.json.encode(state), indent=1)
        with self._telling("cannot write the state of the models"):
            with replaced(self.state_path) as file:
                self._give(file)
                file.write(content[: len(content) // 2])
                file.flush()
                self.step(f"{name}: half written")
                file.write(content[len(content) // 2 :])
            self.step(name)

    def _copied(self, source: Path, file: BinaryIO, shown: str) -> str:
        # Not blocking, not following: the name may by now be a pipe, or a link to a device.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            handle = os.open(source, flags)
        except OSError as error:
            raise unreadable(shown, error) from error
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            # Python opens no file object on a folder.
            os.close(handle)
            raise ModelError(f"{shown} is no regular file; copy the model file itself")
        with os.fdopen(handle, "rb") as stream:
            if before.st_size > LARGEST_FILE:
                raise ModelError(
                    f"{shown} is {before.st_size / 1e6:.0f} MB; a model file has at most "
                    f"{LARGEST_FILE / 1e6:.0f} MB, so this is something else"
                )
            digest, size = hashlib.sha256(), 0
            while size <= LARGEST_FILE:
                try:
                    chunk = stream.read(_CHUNK)
                except OSError as error:
                    raise unreadable(shown, error) from error
                if not chunk:
                    break
                digest.update(chunk)
                size += len(chunk)
                with self._telling(f"cannot take in {shown}"):
                    file.write(chunk)
                self.step("copying")
            after = os.fstat(stream.fileno())
            if _look(before) != _look(after) or size != after.st_size:
                raise Unfinished(f"{shown} changed while it was read; it is still being copied")
        if not size:
            raise ModelError(f"{shown} is empty; copy it again")
        with self._telling(f"cannot take in {shown}"):
            file.flush()
            self._give(file)
            os.fsync(file.fileno())
        self.step("copied")
        return digest.hexdigest()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._telling("cannot write the state of the models"):
            self._make_folders()
            file = opened_to_lock(self.root / "lock")
        with file:
            with self._telling("cannot write the state of the models"):
                self._give(file)
            give_up = time.monotonic() + LONGEST_LOCK
            while True:
                try:
                    fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except OSError as error:
                    if time.monotonic() > give_up:
                        raise OutputError(
                            f"{self.root} has been locked by another maskgate for "
                            f"{LONGEST_LOCK:g} s; try again when that has ended"
                        ) from error
                    time.sleep(0.02)
            yield

    def _put_aside_if_damaged(self) -> None:
        try:
            self.read()
        except ModelError as error:
            with self._telling("cannot put a damaged state file aside"):
                os.replace(self.state_path, self.state_path.with_suffix(".damaged"))
                sync_folder(self.root)
            words = f"{error}; it was put aside, and the released models run"
            self.update(lambda state: states.noted(state, self.today(), "model_trouble", words))

    def _make_folders(self) -> None:
        for folder in (self.root, self.folder, self.root / "incoming"):
            if not folder.is_dir():
                folder.mkdir(parents=True, exist_ok=True)
                self._give_folder(folder)
        self._check_folder()

    def _check_folder(self) -> None:
        # Another user would have root clear any folder of the system.
        if os.geteuid() == 0 and self.folder.is_symlink() and self.folder.lstat().st_uid != 0:
            raise OutputError(
                f"{self.folder} is a link of another user, which root does not follow; put a "
                "folder in its place"
            )

    def _give(self, file: BinaryIO) -> None:
        # What root installs must stay the gate's own to change: it runs as another user.
        if os.geteuid() != 0:
            return
        owner, about = self.root.stat(), os.fstat(file.fileno())
        # A second name is how a file of root's own could have come here.
        if stat.S_ISREG(about.st_mode) and about.st_nlink == 1:
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)

    def _give_folder(self, folder: Path) -> None:
        if os.geteuid() == 0:
            owner = folder.parent.stat()
            os.chown(folder, owner.st_uid, owner.st_gid, follow_symlinks=False)

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except OutputError:
            raise
        except OSError as error:
            raise OutputError(
                f"{what}: {error.strerror or error} in {self.root}; make room, or make it writable"
            ) from error


def _look(about: os.stat_result) -> tuple[int, int]:
    return (about.st_size, about.st_mtime_ns)
