"""The kinds of events the journal knows, and what they mean in words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "person_judged": "a person's verdict, anew each time it changes",
        "person_left": "a person is gone, with the last verdict",
        "alarm_started": "the alarm rings for a person",
        "person_rings": "one more person rings in an alarm that has started",
        "alarm_ended": "nobody rings any more",
        "fixture_found": "a face never moves, as of a poster, and no longer counts",
        "camera_fault": "the camera gives no good pictures; fault names why",
        "camera_recovered": "the camera sees again",
        "output_fault": "a buzzer, light, sound or broker cannot be driven",
        "output_recovered": "it can again",
        "software_fault": "the program itself was stuck or failed",
        "started": "the service began; detail names its version",
        "stopped": "the service ended in good order; detail says why",
        "reloaded": "a changed configuration took effect",
        "reload_refused": "a changed configuration was wrong, and the old one goes on",
        "model_changed": "another network judges from now on",
        "model_installed": "a new network is there, and will be tried",
        "model_refused": "a new network was not taken; detail says why",
        "model_running": "a network runs since this start",
        "model_trusted": "a new network has proved itself",
        "model_rolled_back": "a new network did not prove itself, and the old one is back",
        "model_pinned": "somebody chose a network by hand",
        "model_trouble": "the place where networks are kept cannot be used; detail says why",
        "clock_changed": "the wall clock jumped by more than two seconds; detail says how far",
        "events_lost": "events were lost before this one; detail says how many",
        "journal_replaced": "the journal before this one could not be used; detail names it",
    }
)
"""Every kind that maskgate writes, with its meaning.

Any other word is kept and shown just as well.
"""

SPANS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "alarm": ("alarm_started", "alarm_ended"),
        "camera": ("camera_fault", "camera_recovered"),
        "output": ("output_fault", "output_recovered"),
    }
)
"""What lasts: the kinds of events that begin and end it."""
