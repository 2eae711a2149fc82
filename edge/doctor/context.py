"""All that a check may look at and use."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from edge.alerts.pins import Pins, choose_pins
from edge.board.reading import Run
from edge.config import Config
from edge.doctor.asking import Ask
from edge.doctor.unit_state import UnitState


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asked for beyond looking.

    mend     put right what is safe to put right
    outputs  switch each output on for a second, to be seen and heard
    picture  a file for the camera's picture, None for none
    """

    mend: bool = False
    outputs: bool = False
    picture: Path | None = None


@dataclass(frozen=True, slots=True)
class User:
    """Who runs the doctor: a *name*, a number, and the names of the groups."""

    name: str
    number: int
    groups: frozenset[str] = frozenset()

    @property
    def root(self) -> bool:
        return self.number == 0


@dataclass(frozen=True, slots=True)
class Context:
    """What checks look at and use.

    *root* is where the system's files are, ``/`` but in tests; *ask* runs the system's programs.
    *config* holds what *config_file* says, the defaults without a file; it is None where the
    file has *problems*, a line each.  *service* is how systemd's unit is, *now* the wall
    clock in UTC, *installed* when maskgate's own files were written, in seconds since 1970.
    *say* tells the person beside the outputs which comes next; *sleep* waits.
    """

    root: Path
    ask: Ask
    environ: Mapping[str, str]
    user: User
    now: datetime
    config: Config | None
    config_file: Path | None
    service: UnitState
    problems: tuple[str, ...] = ()
    installed: float = 0.0
    wishes: Wishes = field(default_factory=Wishes)
    say: Callable[[str], None] = lambda line: None
    sleep: Callable[[float], object] = time.sleep
    open_pins: Callable[[], Pins] = choose_pins

    @property
    def run(self) -> Run:
        """*ask* as the board's facts want it: the text of what ended well, else None."""

        def said(command: Sequence[str]) -> str | None:
            answer = self.ask(command, 2.0)
            return answer.text.strip() if answer.good else None

        return said

    def settings(self) -> Config:
        """Return the configuration; raises Unsettled where it is wrong."""
        if self.config is None:
            raise Unsettled("the configuration is wrong, or may not be read")
        return self.config


class Unsettled(Exception):
    """Error raised by what cannot be checked before the configuration is right."""
