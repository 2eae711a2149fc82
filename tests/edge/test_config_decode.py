"""A tree of any dataclasses from tables: what rooms may have that ours do not have yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from edge.config_decode import decode, leaf_keys
from edge.config_text import flat, toml_text
from edge.errors import OutputError, UsageError


@dataclass(frozen=True)
class Bell:
    note: Literal["low", "high"]
    seconds: float | None = None
    weights: tuple[float, ...] = ()
    words: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.seconds == 0:
            raise UsageError("seconds is 0; allowed: more")
        if len(self.weights) > 3:
            raise OutputError("weights cannot be lifted")
        if self.words.get("a") == "b":
            raise UsageError("hall.words: a is b")


@dataclass(frozen=True)
class House:
    hall: Bell = field(default_factory=lambda: Bell("low"))
    rooms: dict[str, Bell] = field(default_factory=dict)
    number: int = 1


@pytest.mark.parametrize(
    ("hall", "says"),
    [
        ({}, "hall.note is missing"),
        ({"note": "loud"}, 'hall.note is "loud"; allowed: one of "low", "high"'),
        ({"note": "low", "seconds": "x"}, 'hall.seconds is "x"; allowed: a number'),
        ({"note": "low", "weights": [1, "x"]},
         'hall.weights[1] is "x"; allowed: a number'),
        ({"note": "low", "words": {"a": 1}},
         "hall.words.a is 1; allowed: a text in quotes"),
        ({"note": "low", "seconds": 0}, "hall.seconds is 0; allowed: more"),
        ({"note": "low", "weights": [1, 2, 3, 4]}, "hall.weights cannot be lifted"),
        ({"note": "low", "words": {"a": "b"}}, "hall.words: a is b"),
    ],
)
def test_a_mistake_is_named_by_its_key(hall, says):
    assert decode(House, {"hall": hall}).problems == (says,)


def test_a_section_with_a_mistake_hides_none_of_another():
    problems = decode(House, {"rooms": {"a b": {}, "c": 3}, "number": 1.5}).problems
    assert problems == (
        'rooms."a b".note is missing',
        "rooms.c is 3; allowed: a section, [rooms.NAME]",
        "number is 1.5; allowed: a whole number such as 1",
    )


def test_tables_become_the_tree_and_the_tree_becomes_tables():
    house = House(Bell("high", 2.0, (0.5, 1.0), {"a b": "c"}), {"kitchen": Bell("low")}, 7)
    assert toml_text(house) == (
        'number = 7\n\n[hall]\nnote = "high"\nseconds = 2.0\nweights = [0.5, 1.0]\n'
        'words = { "a b" = "c" }\n\n[rooms.kitchen]\nnote = "low"\nweights = []\nwords = {}\n'
    )
    tables = {
        "number": 7, "hall": {"note": "high", "seconds": 2, "weights": [0.5, 1],
                              "words": {"a b": "c"}}, "rooms": {"kitchen": {"note": "low"}},
    }
    assert decode(House, tables).value == house


def test_leaves_are_named_by_their_path():
    assert list(leaf_keys(House)) == [
        "hall.note", "hall.seconds", "hall.weights", "hall.words", "rooms.NAME.note",
        "rooms.NAME.seconds", "rooms.NAME.weights", "rooms.NAME.words", "number",
    ]
    assert dict(flat(House(rooms={})))["rooms"] == {}
