"""What may be configured about an output, and what every kind does when nothing is."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import msgspec
import pytest

from edge.alerts import kinds
from edge.alerts.kinds import KINDS, RESTING, find_kind
from edge.alerts.settings import DEFAULT_OUTPUTS, OutputSettings
from edge.errors import OutputError, UsageError
from edge.gate.policy import GateState

PINS = {name: (5, 6, 13)[: len(kind.pin_names)] for name, kind in KINDS.items()}


@pytest.mark.parametrize("state", GateState)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_pattern_for_every_state(kind, state):
    assert OutputSettings(kind, PINS[kind]).patterns()[state].level


@pytest.mark.parametrize("state", RESTING)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_on_by_default_once_the_program_has_ended(kind, state):
    assert OutputSettings(kind, PINS[kind]).patterns()[state].off


@pytest.mark.parametrize("state", [s for s in GateState if s is not GateState.PASS])
def test_a_door_stays_shut_by_default_unless_all_pass(state):
    assert OutputSettings("relay", (26,)).patterns()[state].off


@pytest.mark.parametrize("kind", ["rgb_led", "traffic_lights"])
def test_green_is_shown_for_pass_alone(kind):
    patterns = OutputSettings(kind, PINS[kind]).patterns()
    assert [state for state, p in patterns.items() if "green" in p.level] == [GateState.PASS]


def test_the_outputs_of_a_gate_without_configuration_are_a_buzzer_and_a_light():
    assert {n: (s.kind, s.pins) for n, s in DEFAULT_OUTPUTS.items()} == {
        "buzzer": ("buzzer", (17,)), "led": ("led", (27,)),
    }


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"kind": "siren", "pins": (5,)}, "kind is 'siren'; allowed: buzzer, tonal_buzzer"),
        ({"kind": "led", "pins": ()}, r"pins is \[\]; led needs 1"),
        ({"kind": "rgb_led", "pins": (5, 6)}, "rgb_led needs 3: red, green, blue"),
        ({"kind": "led", "pins": (28,)}, "pins has 28; allowed: BCM numbers from 2 to 27"),
        ({"kind": "led", "pins": (1,)}, "pins has 1;"),
        ({"kind": "rgb_led", "pins": (5, 6, 5)}, "5 twice"),
        ({"kind": "tonal_buzzer", "pins": (5,), "active_high": False}, "active_high is false"),
        ({"kind": "led", "pins": (5,), "max_on_seconds": 0.0}, "max_on_seconds is 0; allowed"),
        ({"kind": "led", "pins": (5,), "max_on_seconds": math.nan}, "max_on_seconds is nan"),
        ({"kind": "led", "pins": (5,), "states": {"alert": "on"}}, "states has 'alert'; allowed"),
        ({"kind": "led", "pins": (5,), "states": {"pass": "dim"}}, "states: pass: pattern 'dim'"),
        ({"kind": "relay", "pins": (5,), "states": {"pass": "pulse 11"}}, "longer than max_on"),
        ({"kind": "led", "pins": (5,), "states": {"crash": "1/1"}}, "crash: '1/1' has nobody"),
        ({"kind": "relay", "pins": (5,), "states": {"crash": "pulse 1"}}, "off, or a level that"),
        ({"kind": "buzzer", "pins": (5,), "states": {"shutdown": "on"}}, "end it; allowed: off$"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(values, complaint):
    with pytest.raises(UsageError, match=complaint) as caught:
        OutputSettings(**values)
    assert "\n" not in str(caught.value)


def test_settings_are_read_from_plain_values_and_errors_tell_where():
    plain = {"kind": "rgb_led", "pins": [5, 6, 13], "states": {"pass": "cyan", "crash": "red"}}
    settings = msgspec.convert(plain, OutputSettings)
    assert settings.patterns()[GateState.PASS].level == "cyan"
    with pytest.raises(msgspec.ValidationError, match=r"pins has 40.* at `\$\[\.\.\.\]`"):
        msgspec.convert({"a": plain | {"pins": [5, 6, 40]}}, dict[str, OutputSettings])


def test_a_limit_is_what_was_configured_or_the_kinds_or_the_gates():
    assert OutputSettings("relay", (5,), max_on_seconds=3).limit(35) == 3
    assert OutputSettings("relay", (5,)).limit(35) == 10
    assert OutputSettings("buzzer", (5,)).limit(35) == 35


def test_another_package_can_add_a_kind_but_not_replace_ours(monkeypatch):
    sign = replace(KINDS["led"], sounds=True)
    points = [
        SimpleNamespace(name="led", value="other:LED", load=lambda: sign),
        SimpleNamespace(name="sign", value="other:SIGN", load=lambda: sign),
        EntryPoint("table", "edge.alerts.kinds:KINDS", kinds.GROUP),
        EntryPoint("gone", "no_such_package:KIND", kinds.GROUP),
    ]

    def found(group, name=None):
        return [point for point in points if name in (None, point.name)]

    monkeypatch.setattr(kinds, "entry_points", found)
    assert find_kind("led") is KINDS["led"] and find_kind("sign") is sign
    assert OutputSettings("sign", (5,)).patterns()[GateState.ALARM].level == "on"
    with pytest.raises(OutputError, match=r"table.*is no edge\.alerts\.kinds\.Kind"):
        find_kind("table")
    with pytest.raises(OutputError, match=r"'gone' cannot be loaded.*no_such_package"):
        find_kind("gone")
    with pytest.raises(UsageError, match="relay, gone, sign, table"):
        find_kind("siren")


@pytest.mark.parametrize("kind", KINDS)
def test_our_kinds_can_be_named_in_entry_points(kind):
    point = EntryPoint(kind, f"edge.alerts.kinds:{kind.upper()}", kinds.GROUP)
    assert point.load() is KINDS[kind]
