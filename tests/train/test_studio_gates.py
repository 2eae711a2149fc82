"""Gates: their file, what they tell, and models that are sent to them; with a real model store."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import EXIT_SOURCE, DataError, OutputError, SourceError, UsageError
from edge.modelfile import ModelFile, read_model
from edge.modelstore.feed import ModelFeed
from tests.edge.model_files import CLASSIFIER, feed_of, make, settings_of
from tests.train.studio_site import eventually, free_port
from train.studio.gates import (
    BrokerSettings,
    GateSettings,
    gate_status,
    order_of,
    outcome,
    read_fleet,
    send_model,
)
from train.studio.listening import LARGEST_PAYLOAD, Listener, Told, heard
from train.studio.rollout import World, roll_out

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/bin")


@dataclass
class Gate:
    """A real gate's store and feed without its camera: it takes in, tries, and watches models."""

    root: Path
    feed: ModelFeed = field(init=False)
    now: float = 0.0
    healthy: bool = True

    def __post_init__(self) -> None:
        usual = settings_of(self.root, probation_minutes=0.5)
        (self.root / "incoming").mkdir(parents=True)
        self.feed = feed_of(self.root, usual)
        self.feed.start()
        self.live(1)

    @property
    def settings(self) -> GateSettings:
        return GateSettings(str(self.root))

    def live(self, seconds: float) -> None:
        """Let *seconds* of frames go by."""
        for _ in range(round(seconds)):
            for tenth in range(10):
                self.feed.saw(self.now + tenth / 10, 0)
            self.feed.work(self.now)
            if self.feed.poll() is not None and not self.healthy:
                self.feed.failed("ValueError: nonsense")
            self.now += 1


@pytest.fixture
def gates(tmp_path: Path) -> Iterator[dict[str, Gate]]:
    found = {name: Gate(tmp_path / name) for name in ("door", "back")}
    yield found
    for gate in found.values():
        gate.feed.close()


@pytest.fixture
def model(tmp_path: Path) -> ModelFile:
    path = tmp_path / "new.tflite"
    path.write_bytes(make(CLASSIFIER, 100))
    return read_model(path)


def world(gates: dict[str, Gate]) -> World:
    """Return the real sending and reading, in which time passes for the gates while one sleeps."""
    seconds = iter(range(100_000))

    def sleep(much: float) -> None:
        for gate in gates.values():
            gate.live(much)

    return World(clock=lambda: float(next(seconds)), sleep=sleep)


def rolled(gates: dict[str, Gate], model: ModelFile, patience: float = 300.0) -> list[str]:
    fleet = {name: gate.settings for name, gate in gates.items()}
    return list(roll_out(fleet, list(gates), model, world(gates), patience))


def running(gate: Gate) -> tuple[int, str]:
    told = gate_status(gate.settings)["models"][CLASSIFIER]
    return told["version"], told["standing"]


def test_a_roll_out_waits_for_the_first_gate_before_it_goes_on(
    gates: dict[str, Gate], model: ModelFile
) -> None:
    told = rolled(gates, model)
    assert {running(gate) for gate in gates.values()} == {(100, "good")}
    first = next(i for i, line in enumerate(told) if line.startswith("door: trusted"))
    second = next(i for i, line in enumerate(told) if line.startswith("back: sent"))
    assert first < second and told[-1].startswith("done: 2 gates trust")
    assert "door: on probation" in told
    # Once more, as after an interruption, nothing is sent that is there.
    assert [line for line in rolled(gates, model) if "has it already" in line] == [
        "door: has it already", "back: has it already",
    ]


def test_a_rollback_on_the_first_gate_leaves_the_others_as_they_are(
    gates: dict[str, Gate], model: ModelFile
) -> None:
    gates["door"].healthy = False
    before = running(gates["back"])
    with pytest.raises(DataError, match=r"door: .*the roll-out stops here"):
        rolled(gates, model)
    assert running(gates["back"]) == before
    assert not list((gates["back"].root / "incoming").iterdir())


def test_a_refused_model_stops_the_roll_out(gates: dict[str, Gate], tmp_path: Path) -> None:
    path = tmp_path / "bad.tflite"
    # Its digest is right and its self-test is not, which only the gate's trial finds out.
    def spoil(card: dict[str, Any]) -> None:
        outputs = card["self_test"]["outputs"]
        name = next(iter(outputs))
        outputs[name] = [[127 - int(v) for v in row] for row in outputs[name]]
        card["self_test"]["tolerance"] = 0

    path.write_bytes(make(CLASSIFIER, 101, spoil))
    with pytest.raises(DataError, match="door: "):
        rolled(gates, read_model(path))
    assert not list((gates["back"].root / "incoming").iterdir())


def test_a_gate_that_never_decides_ends_the_wait(
    gates: dict[str, Gate], model: ModelFile
) -> None:
    still = {name: GateSettings(str(gate.root)) for name, gate in gates.items()}
    seconds = iter(range(100_000))
    idle = World(clock=lambda: 60.0 * next(seconds), sleep=lambda much: None)
    with pytest.raises(SourceError, match="does not trust it after 10 minutes"):
        list(roll_out(still, list(still), model, idle, patience=600))


def test_an_older_model_is_not_sent_at_all(gates: dict[str, Gate], tmp_path: Path) -> None:
    path = tmp_path / "old.tflite"
    path.write_bytes(make(CLASSIFIER, 1))
    with pytest.raises(DataError, match="a newer one than 1 is needed"):
        rolled(gates, read_model(path))
    assert not list((gates["door"].root / "incoming").iterdir())


def test_a_model_arrives_whole_and_under_a_name_of_ours(tmp_path: Path, model: ModelFile) -> None:
    (tmp_path / "incoming").mkdir()
    name = send_model(GateSettings(str(tmp_path)), model)
    assert [p.name for p in (tmp_path / "incoming").iterdir()] == [name]
    assert (tmp_path / "incoming" / name).read_bytes() == model.path.read_bytes()
    assert name == f"mask-classifier-100-{model.sha256[:12]}.tflite"


def test_a_gate_without_its_folder_is_named(tmp_path: Path, model: ModelFile) -> None:
    with pytest.raises(OutputError, match="does the gate's folder exist"):
        send_model(GateSettings(str(tmp_path / "gone")), model)
    with pytest.raises(SourceError, match="has the gate run"):
        gate_status(GateSettings(str(tmp_path / "gone")))


def test_over_ssh_nothing_is_asked_and_the_model_goes_through(
    tmp_path: Path, model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    # ssh as the studio meets it: a program that runs a command elsewhere. Here it runs it here.
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "ssh"
    script.write_text(
        '#!/bin/sh\necho "$@" > "$(dirname "$0")/told"\nfor last; do :; done\nexec sh -c "$last"\n'
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    folder = tmp_path / "it's here; rm -rf x"
    (folder / "incoming").mkdir(parents=True)
    (folder / "status.json").write_text('{"models": {}}')
    gate = GateSettings(str(folder), "pi@door.local")
    name = send_model(gate, model)
    assert (folder / "incoming" / name).read_bytes() == model.path.read_bytes()
    assert gate_status(gate) == {"models": {}}
    told = (tmp_path / "bin" / "told").read_text()
    assert "BatchMode=yes" in told and "-- pi@door.local" in told


def test_a_gate_that_ssh_does_not_reach_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "ssh"
    words = "ssh: connect to host door port 22: No route"
    script.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 255\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(OutputError, match="pi@door: ssh: connect to host door port 22: No route"):
        gate_status(GateSettings("/m", "pi@door"))


@pytest.mark.parametrize("content", ["", "{", "[]", '{"models": []}', "null"])
def test_a_status_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "status.json").write_text(content)
    with pytest.raises(SourceError, match="no status of a gate"):
        gate_status(GateSettings(str(tmp_path)))


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["models", "last", "number", "event", CLASSIFIER, "words"]),
                      inner, max_size=4),
    max_leaves=12,
))
@settings(max_examples=150, deadline=None)
def test_no_status_breaks_the_judgement_of_it(value: Any) -> None:
    if isinstance(value, dict) and isinstance(value.get("models"), dict):
        how, words = outcome(value, CLASSIFIER, "f" * 64, "x.tflite", 0)
        assert how in ("waiting", "trusted", "failed") and isinstance(words, str)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[gates.door]\nmodels = 'm'", "a path beginning with / is needed"),
        ("[gates.door]\nmodels = '/m'\nssh = '-oProxyCommand=x'", "user@host is allowed"),
        ("[gates.door]\nmodels = '/m'\nssh = 'a b'", "user@host is allowed"),
        ("[gates.'a/b']\nmodels = '/m'", "letters, digits"),
        ("[gates.door]\nmodel = '/m'", "model"),
        ("[gates.door]\nssh = 'pi@door'", "neither models nor page"),
        ("[gates.door]\npage = 'http://door'\nssh = 'pi@door'", "ssh and incoming belong"),
        ("[gates.door]\nmodels = '/m'\ntoken_file = '/t'", "token_file belongs"),
        ("[gates.door]\npage = 'http://door'\ntoken_file = 't'", "a path beginning with / is"),
        ("[gates.door]\npage = 'door.local'", "gates.door.page is 'door.local'"),
        ("[broker]\nport = 'x'", "port"),
        ("[", "gates.toml"),
    ],
)
def test_a_wrong_line_in_the_file_of_gates_is_named(
    tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=told):
        read_fleet(path)


def test_the_file_of_gates_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gates.toml"
    path.write_text(
        "[broker]\nhost = 'b'\n[gates.door]\nmodels = '/m'\n"
        "[gates.back]\nmodels = '/n'\nssh = 'pi@back'\nincoming = '/media/stick'\n"
    )
    fleet = read_fleet(path)
    assert fleet.broker == BrokerSettings("b")
    assert fleet.gates["door"].inbox == "/m/incoming"
    assert (fleet.gates["back"].inbox, fleet.gates["back"].status) == (
        "/media/stick", "/n/status.json",
    )
    assert order_of(list(fleet.gates), "back") == ["back", "door"]
    with pytest.raises(UsageError, match="'x' is no gate"):
        order_of(list(fleet.gates), "x")


def test_a_gate_with_a_page_alone_is_looked_at_and_gets_no_models(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from train.studio.rollout import main

    path, model_path = tmp_path / "gates.toml", tmp_path / "m.tflite"
    path.write_text("[gates.door]\npage = 'http://d:8070'\n[gates.back]\nmodels = '/n'\n")
    model_path.write_bytes(make(CLASSIFIER, 5))
    fleet = read_fleet(path)
    assert list(fleet.takers) == ["back"] and list(fleet.pages) == ["door"]
    result = CliRunner().invoke(main, [
        "start", "--gates", str(path), "--model", str(model_path), "--first", "back",
        "--to", "back", "--to", "door",
    ])
    assert result.exit_code != 0 and "no gate door with a folder of models" in result.output


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a": "' + b"x" * LARGEST_PAYLOAD + b'"}']
)
def test_what_is_no_message_of_a_gate_changes_nothing(payload: bytes) -> None:
    assert heard(Told(online=True), "state", payload) == Told(online=True)
    assert heard(Told(), "unknown", b"{}") == Told()


def test_a_gate_that_vanished_is_offline_whatever_it_said_last() -> None:
    told = heard(heard(Told(), "availability", b"online"), "state", b'{"state": "pass"}')
    assert told.state == "pass"
    assert heard(told, "availability", b"offline").state == "offline"


def test_what_gates_tell_a_real_broker_is_heard(tmp_path: Path) -> None:
    if MOSQUITTO is None:
        pytest.skip("mosquitto is not installed")
    from datetime import date

    from edge.alerts.board import Board, shown, texts
    from edge.gate.policy import GateState

    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n")
    broker = subprocess.Popen(
        [MOSQUITTO, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    listener = Listener(BrokerSettings("127.0.0.1", port))
    try:
        eventually(lambda: not listener.trouble)
        said = {"availability": "online", **texts(shown(
            Board(date(2026, 1, 2), {"mask": 4}), GateState.PASS, False
        ))}
        publisher = _client(port)
        for topic, text in said.items():
            publisher.publish(f"maskgate/door/{topic}", text, qos=1, retain=True)
        eventually(lambda: len(listener.gates().get("door", Told()).values) == 2)
        told = listener.gates()["door"]
        assert told.state == "pass" and told.value("people", "mask") == 4
        publisher.disconnect()
    finally:
        listener.close()
        broker.terminate()
        broker.wait(10)


def _client(port: int) -> Any:
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client


def test_a_broker_that_is_away_is_told(tmp_path: Path) -> None:
    listener = Listener(BrokerSettings("127.0.0.1", free_port()))
    eventually(lambda: "no broker answers" in listener.trouble)
    assert listener.gates() == {}
    listener.close()


def test_the_command_stops_with_the_reason(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from train.studio.rollout import main

    path = tmp_path / "gates.toml"
    path.write_text(f"[gates.door]\nmodels = '{tmp_path / 'gone'}'\n")
    model_path = tmp_path / "m.tflite"
    model_path.write_bytes(make(CLASSIFIER, 5))
    result = CliRunner().invoke(
        main, ["start", "--gates", str(path), "--model", str(model_path), "--first", "door"]
    )
    assert result.exit_code == EXIT_SOURCE
    assert "stopped:" in result.output and "has the gate run" in result.output

