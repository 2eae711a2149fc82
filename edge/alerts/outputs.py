"""All outputs as one, showing one state of the gate."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar, runtime_checkable

from edge.errors import OutputError
from edge.gate.policy import GateState

# Whoever has not shown a state by then hangs in a broken output; the others must not wait for it.
_PATIENCE = 0.5  # seconds

# The state, since when it has its newest cause, and whether it was muted.
_Shown = tuple[GateState, float | None, bool]


class Output(Protocol):
    """Something that shows the gate's state: a buzzer, a light."""

    @property
    def name(self) -> str: ...

    def show(self, state: GateState, muted: bool = False) -> None:
        """Show *state* from now on, no longer than the output's limit; returns at once.

        What makes a sound makes none while *muted*; a light does not heed it.
        """

    def close(self) -> None:
        """Switch off and give the hardware back; may be called twice.

        What was shown for shutdown or crash may be left behind.
        """


@runtime_checkable
class Renewable(Protocol):
    """An output whose limit counts from the last time its state was confirmed."""

    @property
    def name(self) -> str: ...

    def renew(self) -> None:
        """Confirm the state that is shown; returns at once."""


class Outputs:
    """Several outputs that show one state; a broken one never keeps another from showing it.

    Use it as a context manager: whatever happens inside, every output shows that the gate is
    shut down, and is closed.  Threads may share it: all outputs show what was said last.

    *trouble* is told in a line, once, of an output that cannot show a state, and *over* when it
    does again; the others go on, and it is tried again with the next state.  Without *trouble*,
    or when not one output is left, :meth:`show` raises.
    """

    def __init__(
        self,
        outputs: Iterable[Output] = (),
        *,
        trouble: Callable[[str], None] | None = None,
        over: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.outputs = tuple(outputs)
        self._trouble = trouble
        self._over = over
        self._failing: set[str] = set()
        self._handed_on = False
        self._renewable: tuple[Renewable, ...] = tuple(
            output for output in self.outputs if isinstance(output, Renewable)
        )
        self._shown: _Shown | None = None
        self._closed = False
        self._turns = threading.RLock()

    @property
    def state(self) -> GateState | None:
        """What was shown last, None before anything was."""
        return self._shown[0] if self._shown else None

    def show(self, state: GateState, since: float | None = None, muted: bool = False) -> None:
        """Show *state* on every output, if it or *muted* is another, or its cause a newer one.

        *since* tells one cause from the next, such as when the newest offender began to ring:
        a later one starts the outputs' limits anew.  An earlier one is no new cause: the newest
        has left, and others stay.  While *muted* there is no sound.  To show the same again
        confirms it: a light goes out when nobody does for longer than its limit.
        After :meth:`close` nothing is shown any more.  Raises OutputError, naming each output
        that failed, after all were tried; see the class for when it is told instead.
        """
        tried: tuple[Output | Renewable, ...] = self.outputs
        with self._turn():
            if self._closed:
                return
            before, self._shown = self._shown, (state, since, muted)
            if before is not None and _same(self._shown, before):
                tried = self._renewable
                failed = _each(self._renewable, "show", lambda output: output.renew())
            else:
                failed = _each(self.outputs, "show", lambda output: output.show(state, muted))
        self._tell(tried, failed)

    def close(self, state: GateState = GateState.SHUTDOWN) -> None:
        """Show *state*, then close everything; may be called twice.

        It is as quiet as before.  Raises OutputError, after all were tried, for what failed.
        """
        failed: dict[str, str] = {}
        with self._turn():
            if not self._closed:
                self._closed = True
                muted = self._shown is not None and self._shown[2]
                failed = _each(self.outputs, "show", lambda output: output.show(state, muted))
            left = _each(self.outputs, "switch off", lambda output: output.close())
        _raise([*failed.values(), *left.values()])

    def hand_on(self) -> None:
        """Let the block that is at work end without a change: somebody goes on with the outputs.

        An error that ends the block closes them all the same.
        """
        self._handed_on = True

    def __enter__(self) -> Outputs:
        self._handed_on = False
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None or not self._handed_on:
            self.close()

    def _tell(self, tried: Sequence[Output | Renewable], failed: dict[str, str]) -> None:
        if failed and (self._trouble is None or len(failed) == len(self.outputs)):
            _raise([*failed.values()])
        names = {output.name for output in tried}
        for name in sorted(self._failing & names - failed.keys()):
            self._failing.discard(name)
            self._over(f"{name}: shows the gate again")
        for name in sorted(failed.keys() - self._failing):
            self._failing.add(name)
            if self._trouble is not None:
                self._trouble(f"{failed[name]}; the other outputs go on")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        mine = self._turns.acquire(timeout=_PATIENCE)
        try:
            yield
        finally:
            if mine:
                self._turns.release()


def _same(shown: _Shown, before: _Shown) -> bool:
    """Return whether *shown* goes on with what was shown *before*, for no newer cause."""
    state, since, muted = shown
    newer = since is not None and (before[1] is None or since > before[1])
    return (state, muted) == (before[0], before[2]) and not newer


T = TypeVar("T", Output, Renewable)


def _each(outputs: Iterable[T], what: str, do: Callable[[T], None]) -> dict[str, str]:
    """Do something with each of *outputs*; return what went wrong, by the output's name."""
    failed = {}
    for output in outputs:
        try:
            do(output)
        except Exception as error:  # one broken output must not keep the others on
            failed[output.name] = f"{output.name}: cannot {what} ({type(error).__name__}: {error})"
    return failed


def _raise(failed: list[str]) -> None:
    if failed:
        raise OutputError("; ".join(failed))
