"""What gates' status pages tell, asked in the background while somebody looks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from edge.errors import MaskgateError
from train.studio.listening import MOST_VERDICTS, Told
from train.studio.statuspage import Page, ask

ASK_AGAIN = 3.0
STALE = 15.0
"""Seconds after which an answer says nothing about now."""

_AT_ONCE = 8
_FAULTS = ("camera_fault", "software_fault", "shutdown", "crash")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a page *told* when it was asked last, *at* seconds; *trouble* is why nothing, or ""."""

    told: Told
    trouble: str
    at: float


def told_by(
    values: Mapping[str, Any], verdicts: tuple[Mapping[str, Any], ...] = ()
) -> Told:
    """Return what the state *values* tell, as a broker would; *verdicts* are those of before."""
    state = _text(values.get("state")) or "unknown"
    trouble = _text(values.get("trouble"))
    if values.get("healthy") is not True and state not in _FAULTS:
        # An old "pass" says nothing about a gate that hangs.
        state = "unhealthy"
    models, today, newest = (_object(values.get(n)) for n in ("models", "today", "newest"))
    if newest and newest not in verdicts[-5:]:
        verdicts = (*verdicts, newest)[-MOST_VERDICTS:]
    rate = values.get("frames_per_second")
    health = {
        "model": _text(models.get("classifier")), "detector": _text(models.get("detector")),
        **({"frames_per_second": rate} if isinstance(rate, (int, float)) else {}),
    }
    told = {"state": {"state": state, "fault": trouble}, "people": today, "health": health}
    return Told(True, told, verdicts)


def joined(heard: Told | None, told: Told) -> Told:
    """Return what is known of a gate that a broker *heard* of, and whose page has *told* of it.

    The page counts for now, where it answers; of the verdicts whoever knows more.
    """
    if heard is None:
        return told
    if not told.online:
        return heard
    return replace(told, verdicts=max(heard.verdicts, told.verdicts, key=len))


class Pages:
    """Asks *pages*, by the gates' names, while somebody looks, in threads of its own.

    *clock* gives seconds that only go forward, *asking* does what :func:`ask` does.
    """

    def __init__(
        self, pages: Mapping[str, Page], clock: Callable[[], float] = time.monotonic,
        asking: Callable[[Page], dict[str, Any]] = ask,
    ) -> None:
        self._pages = dict(pages)
        self._clock = clock
        self._ask = asking
        self._lock = threading.Lock()
        self._answers: dict[str, Answer] = {}
        self._begun: dict[str, tuple[float, Future[None]]] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE, "status-page")

    def look(self, patience: float = 0.5) -> dict[str, Answer]:
        """Return what each page told last, and ask again where that is not new.

        Waits up to *patience* seconds for pages of which nothing is known that is true now, as
        when nobody has looked for a while.
        """
        now, new = self._clock(), []
        with self._lock:
            for name, page in self._pages.items():
                begun = self._begun.get(name)
                if begun is None or (begun[1].done() and now - begun[0] >= ASK_AGAIN):
                    begun = (now, self._pool.submit(self._asked, name, page))
                    self._begun[name] = begun
                last = self._answers.get(name)
                if last is None or now - last.at > STALE:
                    new.append(begun[1])
        if new:
            wait(new, patience)
        with self._lock:
            found = dict(self._answers)
            asked = {name: begun[0] for name, begun in self._begun.items()}
        now = self._clock()
        return {name: self._now(found.get(name), name, asked[name], now) for name in self._pages}

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _asked(self, name: str, page: Page) -> None:
        with self._lock:
            before = self._answers.get(name, Answer(Told(), "", 0.0)).told
        try:
            told, trouble = told_by(self._ask(page), before.verdicts), ""
        except MaskgateError as error:
            told, trouble = replace(before, online=False), str(error)
        with self._lock:
            self._answers[name] = Answer(told, trouble, self._clock())

    def _now(self, answer: Answer | None, name: str, asked: float, now: float) -> Answer:
        if answer is not None and now - answer.at <= STALE:
            return answer
        # While nobody looked nobody asked; that silence is none of the gate's.
        silent = now - asked
        how = f"for {silent:.0f} s" if silent >= STALE else "yet"
        told = Told() if answer is None else replace(answer.told, online=False)
        return Answer(told, f"{self._pages[name].shown} has not answered {how}", now)


def _text(value: Any) -> str:
    return value[:300] if isinstance(value, str) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
