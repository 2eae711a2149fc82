"""Whatever a file holds: settings, or a UsageError of one line."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.alerts.settings import OutputSettings
from edge.config import (
    AlarmSettings,
    CameraSettings,
    Config,
    ModelSettings,
    PeopleSettings,
    VerdictSettings,
    examined,
    read_config,
)
from edge.config_decode import decode, leaf_keys, one_line, tomllib
from edge.config_show import effective_text
from edge.config_text import flat, key_text, value_text
from edge.errors import UsageError

KEYS = sorted(leaf_keys(Config))
SECTIONS = sorted({key.split(".")[0] for key in KEYS})
# TOML's own bounds: no lone halves of characters, and only these control characters.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(), st.integers(0, 100))
VALUES = st.recursive(
    st.one_of(TEXTS, NUMBERS, st.booleans(), st.sampled_from(["20", "8%", "0,0,1,1", "led"])),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
# A dotted key of the tree, sometimes cut short, sometimes mistyped.
NAMES = st.one_of(st.sampled_from(KEYS), st.sampled_from(SECTIONS), TEXTS)


def table_of(places: dict) -> dict:
    """Return *places*, dotted keys to values, as nested tables; what does not fit is dropped."""
    tables: dict = {}
    for place, value in places.items():
        inner = tables
        *path, last = place.split(".")
        for part in path:
            following = inner.setdefault(part, {})
            inner = following if isinstance(following, dict) else {}
        inner[last] = value
    return tables


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("any") / "gate.toml"


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_tables_are_settings_or_lines_that_can_be_printed(places):
    decoded = decode(Config, table_of(places))
    assert isinstance(decoded.value, Config) == (not decoded.problems)
    assert all(line.isprintable() and 0 < len(line) < 700 for line in decoded.problems)


@settings(max_examples=150, deadline=None)
@given(content=st.one_of(
    st.binary(max_size=200),
    st.lists(st.tuples(NAMES, VALUES), max_size=5).map(
        lambda pairs: "\n".join(
            f"{'.'.join(map(key_text, key.split('.')))} = {value_text(value)}"
            for key, value in pairs
        ).encode()
    ),
))
def test_any_file_is_settings_or_one_line(file, content):
    file.write_bytes(content)
    try:
        assert isinstance(read_config(file), Config)
    except UsageError as error:
        assert len(str(error).splitlines()) == 1 and str(error).startswith(f"{file}: ")


RATES = st.floats(0.0001, 0.08)
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
CONFIGS = st.builds(
    Config,
    camera=st.builds(CameraSettings, source=WORDS.map(lambda text: f"rtsp://door/{text}")),
    models=st.builds(ModelSettings, WORDS, WORDS, st.integers(0, 16)),
    people=st.builds(PeopleSettings, st.sampled_from(["20", "8%", " 33.5 "]),
                     st.sampled_from(["", "0,0,0.5,1", "0,0 1,0 0,1"])),
    alarm=st.builds(AlarmSettings, st.floats(1, 3600), st.floats(0, 3600),
                    st.sampled_from(["", "22:00-07:00"])),
    decision=st.builds(VerdictSettings, RATES, RATES, st.floats(0.05, 5)),
    outputs=st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True),
        st.builds(OutputSettings, st.just("led"), st.tuples(st.integers(2, 27)), st.booleans(),
                  st.none() | st.floats(1, 3600), st.sampled_from([{}, {"alarm": "off"}])),
        min_size=1, max_size=1,
    ),
)


@settings(max_examples=150, deadline=None)
@given(config=CONFIGS)
def test_what_is_shown_reads_as_the_same(file, config):
    file.write_text(effective_text(config, secrets=True), encoding="utf-8", newline="")
    assert examined(file) == (config, ())


@given(st.one_of(TEXTS, NUMBERS, st.booleans(), st.lists(TEXTS), st.dictionaries(TEXTS, TEXTS)))
def test_a_value_as_toml_is_that_value(value):
    again = tomllib.loads(f"key = {value_text(value)}")["key"]
    same = isinstance(value, float) and math.isnan(value) and math.isnan(again)
    assert same or again == value


@given(st.text())
def test_a_message_is_one_line_that_can_be_printed(text):
    line = one_line(text)
    assert line.isprintable() and "  " not in line and line == line.strip()


def test_every_plain_value_is_flat_once():
    keys = [key for key, _ in flat(Config())]
    assert len(keys) == len(set(keys))
    general = {key.replace("outputs.led", "outputs.NAME") for key in keys if "buzzer" not in key}
    assert general == set(KEYS)
