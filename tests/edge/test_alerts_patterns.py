"""A pattern is text that a person writes; it means one thing, and it ends."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.kinds import KINDS, note_hertz
from edge.alerts.patterns import OFF, Pattern, parse_pattern
from edge.errors import UsageError

LEVELS = {
    "led": ["on"],
    "rgb_led": ["on", "red", "magenta", "white"],
    "traffic_lights": ["on", "red", "red+amber", "green+red"],
    "tonal_buzzer": ["on", "A4", "C#5", "Bb3", "A7"],
}
levels = st.sampled_from([(kind, word) for kind, words in LEVELS.items() for word in words])
seconds = st.integers(20, 3_600_000).map(lambda milliseconds: milliseconds / 1000)


@st.composite
def patterns(draw) -> tuple[str, Pattern]:
    """A kind and a pattern that it can show."""
    kind, level = draw(levels)
    shape = draw(st.sampled_from(["off", "stays", "blinks", "pulses"]))
    if shape == "off":
        return kind, OFF
    if shape == "stays":
        return kind, Pattern(level)
    if shape == "pulses":
        return kind, Pattern(level, draw(seconds), repeats=1)
    times = draw(st.none() | st.integers(1, 1000))
    return kind, Pattern(level, draw(seconds), draw(seconds), times)


@pytest.mark.parametrize(
    ("kind", "text", "pattern"),
    [
        ("led", "off", OFF),
        ("led", "on", Pattern("on")),
        ("led", " on  0.25/0.75 ", Pattern("on", 0.25, 0.75)),
        ("buzzer", "0.25/.25 x3", Pattern("on", 0.25, 0.25, 3)),
        ("relay", "pulse 1", Pattern("on", 1, repeats=1)),
        ("rgb_led", "red 0.25/0.25", Pattern("red", 0.25, 0.25)),
        ("rgb_led", "white pulse 2.5", Pattern("white", 2.5, repeats=1)),
        ("traffic_lights", "red+amber", Pattern("red+amber")),
        ("tonal_buzzer", "A4 0.3/0.2", Pattern("A4", 0.3, 0.2)),
    ],
)
def test_a_text_is_read_as_it_looks(kind, text, pattern):
    assert parse_pattern(text, KINDS[kind].level) == pattern


@pytest.mark.parametrize(
    ("kind", "text", "complaint"),
    [
        ("led", "", "is empty; allowed: off, LEVEL"),
        ("led", "red", "'red' is no level; allowed: on, off"),
        ("led", "off 0.1/0.1", "takes nothing after off"),
        ("led", "on 0.1", "'0.1' is not understood"),
        ("led", "on 0.1/0.1 3", "'3' is no number of times; write x3"),
        ("led", "on 0.1/0.1 x0", "repeats 0 times; allowed: 1 to 1000"),
        ("led", "on 0.1/0.1 x3 x4", "is not understood"),
        ("led", "0/0.1", "a time of 0 s; allowed: 0.02 to 3600"),
        ("led", "0.1/", "'' is no time"),
        ("led", "0.1/-1", "'-1' is no time"),
        ("led", "0.1/1e3", "'1e3' is no time"),
        ("led", "nan/1", "'nan' is no time"),
        ("led", "0.1/0.12345", "at most three decimals"),
        ("led", "0.1/\u0661", "is no time"),
        ("relay", "pulse", "pulse takes one number of seconds"),
        ("relay", "pulse 1 2", "pulse takes one number of seconds"),
        ("relay", "pulse 9999", "a time of 9999 s"),
        ("rgb_led", "amber", "'amber' is no level; allowed: red, green, blue, yellow"),
        ("traffic_lights", "red+red", "'red[+]red' is no level"),
        ("traffic_lights", "red+", "'red[+]' is no level"),
        ("tonal_buzzer", "A8", "a note from A3 to A7"),
        ("tonal_buzzer", "H4", "'H4' is no level"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(kind, text, complaint):
    with pytest.raises(UsageError, match=complaint) as caught:
        parse_pattern(text, KINDS[kind].level)
    assert repr(text) in str(caught.value) and "\n" not in str(caught.value)


@given(patterns())
def test_a_pattern_written_down_is_read_as_the_same(case):
    kind, pattern = case
    assert parse_pattern(str(pattern), KINDS[kind].level) == pattern


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=30))
def test_any_text_is_a_pattern_or_a_usage_error(kind, text):
    try:
        pattern = parse_pattern(text, KINDS[kind].level)
    except UsageError:
        return
    assert parse_pattern(str(pattern), KINDS[kind].level) == pattern


@given(patterns(), st.floats(0, 1e5))
def test_the_next_change_is_never_before_now_and_something_does_change_there(case, now):
    _, pattern = case
    lit, change = pattern.at(now)
    assert change >= now - 1e-6
    if math.isfinite(change):
        assert pattern.at(change + 0.001)[0] is not lit


@given(patterns(), st.floats(0, 1e5))
def test_a_pattern_is_off_once_its_repeats_are_over(case, now):
    _, pattern = case
    if pattern.off:
        assert pattern.at(now) == (False, math.inf)
    elif pattern.repeats is not None:
        over = pattern.repeats * (pattern.on_seconds + pattern.off_seconds)
        assert pattern.at(over + now + 0.001) == (False, math.inf)


@pytest.mark.parametrize(
    ("now", "lit", "change"),
    [(0, True, 0.25), (0.3, False, 1), (1, True, 1.25), (1.5, False, math.inf)],
)
def test_a_pattern_of_two_blinks_worked_out(now, lit, change):
    assert Pattern("on", 0.25, 0.75, 2).at(now) == (lit, change)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (("on", -1.0, 1.0), "on for -1 s"),
        (("on", 1.0, 0.0), "off for 0 s"),
        (("on", 1.0, -1.0, 1), "off for -1 s"),
        (("on", math.nan, 1.0), "on for nan s"),
        (("on", math.inf, 1.0), "stays on"),
    ],
)
def test_a_pattern_that_means_nothing_is_refused(values, complaint):
    with pytest.raises(UsageError, match=complaint):
        Pattern(*values)


@pytest.mark.parametrize(
    ("note", "hertz"),
    [("A4", 440), ("A3", 220), ("A7", 3520), ("C5", 523.25), ("C#5", 554.37), ("Bb3", 233.08)],
)
def test_a_note_has_its_frequency(note, hertz):
    assert note_hertz(note) == pytest.approx(hertz, abs=0.01)


def test_a_note_with_two_names_has_one_frequency():
    assert note_hertz("C#5") == note_hertz("Db5") and note_hertz("Cb5") == note_hertz("B4")
