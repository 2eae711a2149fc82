"""All outputs as one, showing one state of the gate."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar, runtime_checkable

from edge.errors import OutputError
from edge.gate.policy import GateState

# Whoever has not shown a state by then hangs in a broken output; the others must not wait for it.
_PATIENCE = 0.5  # seconds


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
    """

    def __init__(self, outputs: Iterable[Output] = ()) -> None:
        self.outputs = tuple(outputs)
        self._renewable: tuple[Renewable, ...] = tuple(
            output for output in self.outputs if isinstance(output, Renewable)
        )
        self._shown: tuple[GateState, float | None, bool] | None = None
        self._closed = False
        self._turns = threading.RLock()

    def show(self, state: GateState, since: float | None = None, muted: bool = False) -> None:
        """Show *state* on every output, if it, its cause or *muted* is another than before.

        *since* tells one cause from the next, such as when the newest offender began to ring:
        another one starts the outputs' limits anew.  While *muted* there is no sound.  To show
        the same again confirms it: a light goes out when nobody does for longer than its limit.
        After :meth:`close` nothing is shown any more.  Raises OutputError, naming each output
        that failed, after all were tried.
        """
        with self._turn():
            if self._closed:
                return
            if (state, since, muted) == self._shown:
                failed = _each(self._renewable, "show", lambda output: output.renew())
            else:
                self._shown = (state, since, muted)
                failed = _each(self.outputs, "show", lambda output: output.show(state, muted))
        _raise(failed)

    def close(self) -> None:
        """Show SHUTDOWN, then close everything; may be called twice.

        Raises OutputError, after all were tried, for what failed.
        """
        failed = []
        with self._turn():
            if not self._closed:
                self._closed = True
                failed = _each(
                    self.outputs, "show", lambda output: output.show(GateState.SHUTDOWN)
                )
            failed += _each(self.outputs, "switch off", lambda output: output.close())
        _raise(failed)

    def __enter__(self) -> Outputs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        mine = self._turns.acquire(timeout=_PATIENCE)
        try:
            yield
        finally:
            if mine:
                self._turns.release()


T = TypeVar("T", Output, Renewable)


def _each(outputs: Iterable[T], what: str, do: Callable[[T], None]) -> list[str]:
    """Do something with each of *outputs*; return what went wrong."""
    failed = []
    for output in outputs:
        try:
            do(output)
        except Exception as error:  # one broken output must not keep the others on
            failed.append(f"{output.name}: cannot {what} ({type(error).__name__}: {error})")
    return failed


def _raise(failed: list[str]) -> None:
    if failed:
        raise OutputError("; ".join(failed))
