"""Whether a new model runs healthily, from what the gate counted before it and since.

A new model is on probation for some minutes of running.  What ends the program ends the
probation too, at the next start; what is judged here are models that run and see nonsense.
The bounds are wide: people differ from hour to hour, and a good model must not be thrown out
because a school was over, or because somebody stands before the camera to see it work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

# Time between two frames that is longer than this was not healthy running, and does not count.
LONGEST_GAP = 2.0  # seconds
# What is compared is what was usual lately: a day, fading.
_MEMORY = 86_400.0  # seconds
_LEAST_SECONDS = 30.0
_LEAST_PEOPLE = 20
# What is usual at a door shows in an hour, that people come at all in some minutes.
_USUAL_SECONDS = 3600.0
_COMING_SECONDS = 600.0
# A visitor may stay for minutes; in less time one cannot be told from a phantom.
_LEAST_WATCHED = 300.0
# Of twenty people on each side so many more differ by chance in fewer than 1 of 1,000 cases.
_SHARE = 0.6
_CROWDED, _EMPTY = 0.5, 0.05
_ALWAYS = 0.9
_VERDICTS = ("mask", "no_mask", "incorrect", "unsure")


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted: *seconds* of healthy running, *frames* in them, and frames with *faces*.

    *mask*, *no_mask*, *incorrect* and *unsure* are people who left, by their last verdict.
    """

    seconds: float = 0.0
    frames: float = 0.0
    faces: float = 0.0
    mask: float = 0.0
    no_mask: float = 0.0
    incorrect: float = 0.0
    unsure: float = 0.0

    @property
    def people(self) -> float:
        """How many people left."""
        return self.judged + self.unsure

    @property
    def judged(self) -> float:
        """How many of them had a clear verdict."""
        return self.mask + self.no_mask + self.incorrect


def counted(tally: Tally, gap: float, faces: int, left: Sequence[str] = ()) -> Tally:
    """Return *tally* after one more fresh frame, *gap* seconds after the one before.

    *faces* were found in it, and people with the verdicts *left* went away.  What is older than
    a day fades.
    """
    if tally.seconds > _MEMORY:
        tally = Tally(*(getattr(tally, name) / 2 for name in Tally.__dataclass_fields__))
    more = {name: getattr(tally, name) + left.count(name) for name in _VERDICTS}
    healthy = gap if 0 <= gap <= LONGEST_GAP else 0.0
    return replace(
        tally,
        seconds=tally.seconds + healthy,
        frames=tally.frames + 1,
        faces=tally.faces + (1 if faces else 0),
        **more,
    )


def summed(one: Tally, other: Tally) -> Tally:
    """Return what both counted."""
    return Tally(*(getattr(one, n) + getattr(other, n) for n in Tally.__dataclass_fields__))


def insane(before: Tally, since: Tally, slow_factor: float, asked: float) -> str:
    """Return what is not sane about *since*, beside *before* it; "" where nothing is.

    *slow_factor*: so many times fewer frames per second are too few.  *asked* is how long
    probation lasts, in seconds: whether faces are seen in too many or too few frames is judged
    at its end, of at least five minutes, beside at least an hour.
    """
    if min(before.seconds, since.seconds) >= _LEAST_SECONDS:
        old, new = before.frames / before.seconds, since.frames / since.seconds
        if new * slow_factor < old:
            return f"the gate fell from {old:.1f} to {new:.1f} frames per second"
    if before.seconds >= _USUAL_SECONDS and since.seconds >= max(asked, _LEAST_WATCHED):
        old, new = before.faces / before.frames, since.faces / since.frames
        # Where twenty people came and were judged, the crowd is a real one.
        if old <= _EMPTY and new >= _ALWAYS and since.judged < _LEAST_PEOPLE:
            return f"it sees faces in {new:.0%} of the frames; before it was {old:.0%}"
        if old >= _CROWDED and new <= _EMPTY:
            return f"it sees faces in {new:.0%} of the frames; before it was {old:.0%}"
    if before.seconds >= _COMING_SECONDS and since.people == 0:
        expected = before.people / before.seconds * since.seconds
        if expected >= _LEAST_PEOPLE:
            return f"it saw nobody in a time in which {expected:.0f} people came before"
    if min(before.people, since.people) >= _LEAST_PEOPLE:
        for words, names in (
            ("calls out", ("no_mask", "incorrect")),
            ("cannot judge", ("unsure",)),
        ):
            old, new = _share(before, names), _share(since, names)
            if abs(new - old) >= _SHARE:
                return f"it {words} {new:.0%} of the people; before it was {old:.0%}"
    return ""


def _share(tally: Tally, names: Sequence[str]) -> float:
    return float(sum(getattr(tally, name) for name in names)) / tally.people
