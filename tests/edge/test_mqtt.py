"""What the broker is told of the gate, without a broker."""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace
from datetime import date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.board import COUNTED, VERDICTS, Board, measured, on_day, shown, texts, told
from edge.alerts.broker import password, why_refused
from edge.alerts.homeassistant import discovery, discovery_topic, object_id
from edge.alerts.mqtt import MqttOutput, MqttSettings, gate_name
from edge.alerts.sound import SoundSettings
from edge.errors import OutputError, UsageError
from edge.gate.policy import GateState
from edge.report.events import Event

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2025, 3, 30)
NOON = datetime(2025, 3, 30, 12, tzinfo=timezone(timedelta(hours=2)))
BASE = "maskgate/door"


def values(board):
    return {topic: json.loads(text) for topic, text in texts(board).items()}


def announced(gate="door"):
    return json.loads(discovery(f"maskgate/{gate}", gate, "Main door", "1.2.3"))


@pytest.mark.parametrize("state", GateState)
@pytest.mark.parametrize("muted", [False, True])
def test_every_state_is_on_the_board(state, muted):
    board = shown(Board(DAY), state, muted)
    assert values(board)["state"] == {"state": state.value, "muted": muted, "fault": ""}


def test_the_name_of_a_camera_fault_is_there_as_long_as_the_fault():
    board = shown(Board(DAY), GateState.CAMERA_FAULT, False)
    board = told(board, Event(1.0, "camera_fault", fault="stalled", detail="3 s"), NOON)
    assert values(board)["state"]["fault"] == "stalled"
    board = shown(board, GateState.CAMERA_FAULT, False)
    assert values(board)["state"]["fault"] == "stalled"
    assert values(shown(board, GateState.IDLE, False))["state"]["fault"] == ""


@given(st.lists(st.sampled_from([*VERDICTS, "unsure"])), st.integers(0, 5))
def test_people_are_counted_by_their_last_verdict_when_they_leave(verdicts, alarms):
    board = Board(DAY)
    for number, verdict in enumerate(verdicts):
        board = told(board, Event(1.0, "person_judged", number, verdict), NOON)
        board = told(board, Event(2.0, "person_left", number, verdict), NOON)
    for _ in range(alarms):
        board = told(board, Event(3.0, "alarm_started", 1), NOON)
        board = told(board, Event(4.0, "alarm_ended"), NOON)
    expected = {name: verdicts.count(name) for name in (*VERDICTS, "unsure")}
    assert values(board)["people"] == {"date": "2025-03-30", **expected, "alarms": alarms}


def test_counts_go_on_from_what_was_counted_before_and_begin_anew_at_midnight():
    board = told(Board(DAY, {"mask": 7}), Event(1.0, "person_left", 1, "mask"), NOON)
    assert values(board)["people"]["mask"] == 8
    board = told(board, Event(2.0, "person_left", 2, "no_mask"), NOON + timedelta(days=1))
    assert values(board)["people"] == {
        "date": "2025-03-31", "mask": 0, "no_mask": 1, "incorrect": 0, "unsure": 0, "alarms": 0
    }
    assert on_day(board, board.day) is board


def test_the_newest_verdict_says_who_how_sure_and_when():
    board = told(Board(DAY), Event(1.0, "person_judged", 4, "no_mask", 0.98765), NOON)
    expected = {
        "verdict": "no_mask", "person": 4, "confidence": 0.988, "at": "2025-03-30T12:00:00+02:00"
    }
    assert values(board)["verdict"] == expected
    unsure = told(board, Event(2.0, "person_judged", 4, "unsure", 0.5), NOON)
    assert values(unsure)["verdict"] == expected


def test_what_is_not_known_is_not_on_the_board():
    assert set(texts(Board(DAY))) == {"people"}


@given(st.lists(st.floats(0, 50), min_size=2, max_size=100))
def test_the_frame_rate_changes_once_a_minute_at_most(steps):
    board, now, changes = Board(DAY), 0.0, []
    for step in steps:
        now += step
        new = measured(board, now, "m", now)
        if new is not board:
            changes.append(now)
        board = new
    assert changes[0] == steps[0]
    assert all(after - before >= 60 for before, after in pairwise(changes))


def test_another_model_is_told_at_once():
    board = measured(Board(DAY), 14.96, "masks 1", 0.0)
    board = measured(board, 9.0, "masks 2", 1.0)
    assert values(board)["health"] == {"frames_per_second": 9.0, "model": "masks 2"}


def test_home_assistant_is_told_of_one_device_with_all_its_entities():
    said = announced()
    assert discovery_topic("homeassistant", "door") == "homeassistant/device/maskgate_door/config"
    assert said["dev"]["ids"] == ["maskgate_door"] and said["dev"]["name"] == "Main door"
    assert said["o"] == {"name": "maskgate", "sw": "1.2.3"}
    assert said["availability_topic"] == "maskgate/door/availability"
    assert {name: part["p"] for name, part in said["cmps"].items()} == {
        "state": "sensor",
        "alarm": "binary_sensor",
        "camera_fault": "binary_sensor",
        "last_verdict": "sensor",
        **dict.fromkeys(COUNTED, "sensor"),
        "model": "sensor",
        "frames_per_second": "sensor",
    }


def test_every_entity_reads_a_value_that_the_gate_sends():
    board = shown(Board(DAY), GateState.ALARM, False)
    board = told(board, Event(1.0, "person_judged", 1, "mask", 0.9), NOON)
    sent = values(measured(board, 15.0, "masks 1", 0.0))
    for part in announced()["cmps"].values():
        held = sent[part["state_topic"].removeprefix(BASE + "/")]
        assert any(f"value_json.{key} " in part["value_template"] for key in held)
        assert part.get("json_attributes_topic", part["state_topic"]) == part["state_topic"]


def test_an_enumeration_lists_whatever_may_come_and_has_no_state_class():
    cmps = announced()["cmps"]
    assert cmps["state"]["options"] == [state.value for state in GateState]
    assert cmps["last_verdict"]["options"] == list(VERDICTS)
    for part in cmps.values():
        assert ("options" in part) == (part.get("device_class") == "enum")
        assert not ("options" in part and "state_class" in part)


@given(gates=st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), max_size=5))
def test_no_two_entities_share_an_id_whatever_the_gates_are_called(gates):
    ids = [
        part["unique_id"] for gate in set(gates) for part in announced(gate)["cmps"].values()
    ]
    assert len(ids) == len(set(ids))


@given(st.text(max_size=80))
def test_any_hostname_becomes_a_name_that_topics_and_settings_allow(hostname):
    name = gate_name(MqttSettings(), hostname)
    assert MqttSettings(gate=name).gate == name
    assert object_id(name) == f"maskgate_{name}"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"enabled": True}, "host is ''; name the broker"),
        ({"host": "a..b"}, "host is 'a..b'"),
        ({"host": "mqtt://1.2.3.4"}, "host is 'mqtt://1.2.3.4'; allowed: a name or an address"),
        ({"host": "1.2.3.4:1883"}, "port and tls are keys of their own"),
        ({"host": "[::1]"}, r"host is '\[::1\]'"),
        ({"host": "bro ker"}, "host is 'bro ker'"),
        ({"host": "broker\u00a0"}, "host is"),
        ({"host": "broker\0"}, "host is"),
        ({"host": "a." * 127}, "host is 'a.a."),
        ({"port": 0}, "port is 0; allowed: 1 to 65535"),
        ({"keepalive": 1}, "keepalive is 1; allowed: 5 to 600"),
        ({"gate": "door 1"}, "gate is 'door 1'"),
        ({"gate": "a/b"}, "gate is 'a/b'"),
        ({"base_topic": "shops/#"}, "base_topic is 'shops/#'"),
        ({"base_topic": "/shops"}, "base_topic is '/shops'"),
        ({"discovery_prefix": ""}, "discovery_prefix is ''"),
        ({"password_file": "x"}, "without username"),
        ({"ca_file": "x"}, "set tls = true"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(wrong, message):
    with pytest.raises(UsageError, match=message):
        MqttSettings(**wrong)


@pytest.mark.parametrize("name", ["username", "title", "base_topic", "discovery_prefix"])
def test_a_text_that_no_broker_takes_is_refused_with_its_start(name):
    assert MqttSettings(**{name: "a" * 200})
    with pytest.raises(UsageError, match=f"^{name} is 'a+'..., 70000 .*: 200 at most") as refusal:
        MqttSettings(**{name: "a" * 70_000})
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    "host", ["192.168.1.10", "mqtt.example", "localhost", "bröker.example", "::1", "fe80::1%eth0"]
)
def test_a_name_or_an_address_is_a_host(host):
    assert MqttSettings(enabled=True, host=host).host == host


def test_the_password_is_the_first_line_of_its_file(tmp_path):
    file = tmp_path / "password"
    file.write_text("s p ä c e \r\nsecond line\n", encoding="utf-8")
    assert password(str(file)) == "s p ä c e "
    assert password("") is None


@pytest.mark.parametrize("content", [None, b"", b"\nsecond", b"\xff\xfe"])
def test_a_password_file_that_holds_none_is_named(tmp_path, content):
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(OutputError, match=r"password_file .*password"):
        password(str(file))


def test_nobody_waits_for_who_would_write_into_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="pipe or a device"):
        password(str(tmp_path / "pipe"))
    settings = MqttSettings(host="127.0.0.1", tls=True, ca_file=str(tmp_path / "pipe"))
    with pytest.raises(OutputError, match="pipe or a device"):
        MqttOutput(settings, print)


def test_files_that_cannot_be_used_are_told_before_anything_is_connected(tmp_path):
    settings = MqttSettings(host="127.0.0.1", tls=True, ca_file=str(tmp_path / "ca.pem"))
    with pytest.raises(OutputError, match=r"ca_file .*ca\.pem cannot be used"):
        MqttOutput(settings, print)
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(OutputError, match=r"ca_file .*ca\.pem cannot be used"):
        MqttOutput(settings, print)


def test_a_refusal_names_the_user_but_never_the_password():
    settings = MqttSettings(host="h", username="gate")
    assert "user 'gate'" in why_refused("Not authorized", settings)
    assert "without username" in why_refused("Not authorized", replace(settings, username=""))
    assert why_refused("Server unavailable", settings) == "it refuses: Server unavailable"


@pytest.mark.parametrize(("page", "settings"), [("mqtt", MqttSettings), ("sound", SoundSettings)])
def test_the_documentation_names_every_setting_with_its_default(page, settings):
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    for one in fields(settings):
        value = list(one.default) if isinstance(one.default, tuple) else one.default
        default = int(value) if value in (30.0, 60.0) else value
        assert f"| `{one.name}` | `{json.dumps(default)}` |" in text


def test_the_documentation_names_every_topic_and_value():
    text = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8")
    board = shown(Board(DAY), GateState.ALARM, False)
    board = told(board, Event(1.0, "person_judged", 1, "mask", 0.9), NOON)
    for topic, sent in values(measured(board, 15.0, "masks 1", 0.0)).items():
        row = next(line for line in text.splitlines() if f"`{BASE}/{topic}`" in line)
        assert list(json.loads(row.split("`")[3])) == list(sent)


def test_a_broker_s_successor_can_go_on_from_what_was_counted():
    today = [NOON]
    output = MqttOutput(
        MqttSettings(host="127.0.0.1", port=9), lambda line: None, counts={"mask": 3},
        clock=lambda: today[0],
    )
    try:
        assert output.counts == {"mask": 3}
        today[0] += timedelta(days=1)
        assert output.counts == {}
    finally:
        output.close()
