"""A visit of the doctor: what is looked at, in whose house, and that all is left as it was."""

from __future__ import annotations

import getpass
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import edge
from edge.board.facts import read_board
from edge.config import default_config, examined
from edge.doctor.asking import Ask, ask
from edge.doctor.bundle import check_bundle, write_bundle
from edge.doctor.checks import choose_checks
from edge.doctor.context import Context, User, Wishes
from edge.doctor.finding import Finding, failure, ok
from edge.doctor.masking import Mask, known_names, known_secrets, known_users
from edge.doctor.report import exit_code, report_values
from edge.doctor.runner import run_checks
from edge.doctor.system import current_groups
from edge.doctor.unit_state import UNIT, read_unit
from edge.errors import OutputError, UsageError
from edge.files import check_named

USUAL_CONFIG = Path("/etc/maskgate/gate.toml")
# As long as the unit may take to stop and to start (TimeoutStopSec=, TimeoutStartSec=).
_STOP_SECONDS, _START_SECONDS = 30.0, 150.0


@dataclass(frozen=True, slots=True)
class Visit:
    """What a person asked the doctor for; the options of ``maskgate doctor``."""

    config: Path | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    wishes: Wishes = field(default_factory=Wishes)
    strict: bool = False
    stop_service: bool = False
    bundle: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a visit: the *findings*, all of it as JSON values, and the exit *code*."""

    findings: tuple[Finding, ...]
    report: Mapping[str, Any]
    code: int


def visit(
    wanted: Visit,
    tell: Callable[[Finding], None],
    say: Callable[[str], None],
    *,
    root: Path = Path("/"),
    ask: Ask = ask,
    environ: Mapping[str, str] = os.environ,
    now: datetime | None = None,
) -> Outcome:
    """Do what is *wanted*; *tell* hears of each finding at once, *say* of what goes on.

    Raises UsageError for a wrong name, OutputError for a bundle, a picture or a service that
    cannot be written or stopped.
    """
    checks = choose_checks(wanted.only, wanted.skip)
    if wanted.bundle is not None:
        check_bundle(wanted.bundle)
    check_picture(wanted.wishes.picture)
    ctx = make_context(wanted, say, root, ask, environ, now)
    secrets, users = known_secrets(root, ctx.config), known_users(ctx.config)
    mask = Mask(secrets, users)
    findings: list[Finding] = []

    def note(finding: Finding) -> None:
        findings.append(finding)
        tell(finding)

    with _interruptible():
        # The door is blind for no longer than the checks take that need it so.
        for alone, some in groupby(checks, key=lambda check: check.alone):
            with stopped_service(ctx, wanted.stop_service and alone, note) as at_rest:
                for finding in run_checks(tuple(some), at_rest, mask):
                    note(finding)
    code = exit_code(findings, wanted.strict)
    machine = read_board(root, ctx.run).title or "unknown machine"
    report = report_values(
        findings, maskgate=edge.__version__, machine=machine, at=ctx.now, code=code
    )
    if wanted.bundle is not None:
        # It leaves the shop, and the screen does not.
        stricter = Mask(secrets, {**users, **known_names(root, socket.gethostname())})
        names = write_bundle(wanted.bundle, report, ctx, stricter)
        say(f"{wanted.bundle}: {len(names)} texts, without pictures and secrets; read them first")
    return Outcome(tuple(findings), report, code)


def make_context(
    wanted: Visit,
    say: Callable[[str], None],
    root: Path = Path("/"),
    ask: Ask = ask,
    environ: Mapping[str, str] = os.environ,
    now: datetime | None = None,
) -> Context:
    """Return what the checks look at: this machine, its configuration and its service."""
    usual = root / USUAL_CONFIG.relative_to("/")
    file = wanted.config or (usual if usual.exists() else None)
    config, problems = (default_config(), ()) if file is None else examined(file)
    return Context(
        root=root, ask=ask, environ=environ,
        user=User(_user_name(), os.geteuid(), current_groups()),
        now=now or datetime.now(timezone.utc),
        config=config, config_file=file, problems=problems,
        service=read_unit(ask),
        installed=Path(edge.__file__).stat().st_mtime,
        wishes=wanted.wishes, say=say,
    )


def check_picture(path: Path | None) -> None:
    """Raise UsageError, before the camera is opened, for a *path* that no picture can have.

    Raises OutputError for one that cannot be written.
    """
    if path is None:
        return
    if path.suffix.lower() not in (".jpg", ".jpeg", ".png"):
        raise UsageError(f"--picture is {path}; name a file that ends in .jpg or .png")
    check_named("--picture", path)


@contextmanager
def stopped_service(
    ctx: Context, wanted: bool, note: Callable[[Finding], None]
) -> Iterator[Context]:
    """Stop the service for the time of the block, if that is *wanted* and it runs.

    Whatever happens inside, it is started again.  Raises OutputError when it cannot be stopped.
    """
    if not wanted or not ctx.service.running:
        yield ctx
        return
    untouched = False
    try:
        answer = ctx.ask(("systemctl", "stop", UNIT), _STOP_SECONDS)
        after = read_unit(ctx.ask)
        untouched = after.running and answer.code not in (0, None)
        if not answer.good or after.running:
            reason = answer.why or f"it is {after.values.get('ActiveState', 'unknown')}"
            raise OutputError(f"--stop-service: {UNIT} cannot be stopped ({reason}); use sudo")
        yield replace(ctx, service=after)
    finally:
        # Also after a stop that did not end in time: it may come through late.
        if not untouched:
            note(_start_again(ctx))


def _start_again(ctx: Context) -> Finding:
    started = ctx.ask(("systemctl", "start", UNIT), _START_SECONDS)
    if started.good:
        return replace(ok("the service was stopped, and runs again"), name="restart")
    return replace(
        failure(
            f"the service was stopped and does not start ({started.why or started.code})",
            "sudo systemctl start maskgate; journalctl -u maskgate -n 50",
        ),
        name="restart",
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into KeyboardInterrupt.

    They would end the program with outputs on and the service stopped.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGHUP)
    try:
        before = {number: signal.signal(number, interrupt) for number in numbers}
    except ValueError:
        # Only the main thread may; elsewhere there is nobody to be interrupted.
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())
