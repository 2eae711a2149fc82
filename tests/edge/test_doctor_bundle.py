"""The support bundle: all that helps, and neither a picture nor a secret."""

from __future__ import annotations

import json
import os
import tarfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.config import examined
from edge.doctor.bundle import NEWEST_EVENTS, check_bundle, write_bundle
from edge.doctor.fakes import NOW, RUNNING, FakePrograms, fake_context
from edge.doctor.finding import failure
from edge.doctor.masking import Mask, known_names, known_secrets, known_users
from edge.doctor.report import report_values
from edge.doctor.unit_state import UnitState
from edge.errors import OutputError, UsageError
from edge.journal.rows import incident_row
from edge.journal.store import Store

# The beginnings of JPEG, PNG, GIF, WebP, TIFF and BMP files.
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")
SECRETS = {
    "camera user": "türsteher", "camera password": "p@ss/wörd", "query": "s3ss10n",
    "broker user": "gate-user-7", "broker password": 'hunter2"quoted',
    "key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "serial": "10000000abcd1234", "machine": "0123456789abcdef0123456789abcdef",
    "card": "b8:27:eb:12:34:56", "network": "Bäckerei WLAN", "network key": "brötchen99",
    "home": "/home/erika", "host": "filiale-7-tuer",
}
# What is long and random enough that no pattern may be needed to hide it.
OTHER_CARD = "dc:a6:32:aa:bb:cc"


@pytest.fixture
def ctx(tmp_path):
    """A gate with secrets in every place that is read, and in its log and journal."""
    root = tmp_path / "root"

    def put(path: str, text: str) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    put("proc/device-tree/serial-number", SECRETS["serial"] + "\0")
    put("etc/machine-id", SECRETS["machine"])
    put("sys/class/net/wlan0/address", SECRETS["card"])
    put("etc/NetworkManager/system-connections/x.nmconnection",
        f"[wifi]\nssid={SECRETS['network']}\n[wifi-security]\npsk={SECRETS['network key']}\n")
    put("secret/broker", SECRETS["broker password"] + "\n")
    toml = root / "gate.toml"
    toml.write_text(
        f'[camera]\nsource = "rtsp://{SECRETS["camera user"]}:{SECRETS["camera password"]}@cam/1'
        f'?token={SECRETS["query"]}"\n[mqtt]\nenabled = true\nhost = "broker.example"\n'
        f'username = "{SECRETS["broker user"]}"\npassword_file = "{root}/secret/broker"\n'
        f'[updates]\nkeys = ["ed25519:{SECRETS["key"]}"]\n'
    )
    programs = FakePrograms(tmp_path / "bin")
    all_of_them = " | ".join(SECRETS.values()) + f" | {OTHER_CARD}"
    programs.says("journalctl", f"{all_of_them}\npassword=topsecret99 psk: 'xyzzy-psk'\n"
                  f"open rtsp://who:knows@else/2?x=y\n{'iVBORw0KGgo' * 30}\n\x89PNG \x1b[31m\n")
    store_folder = root / "var/lib/maskgate"
    store_folder.mkdir(parents=True)
    store = Store(store_folder / "journal.db", max_days=3660, max_bytes=2**26, now=NOW)
    rows = [incident_row("started", NOW, session="s", uptime=1.0, detail=f"number {number}")
            for number in range(NEWEST_EVENTS + 50)]
    rows.append(incident_row("output_fault", NOW, session="s", uptime=1.0,
                             detail=all_of_them[:150]))
    rows.append(incident_row("output_fault", NOW, session="s", uptime=1.0,
                             detail=all_of_them[150:]))
    store.append(rows, NOW)
    store.close()
    (store_folder / "evidence").mkdir()
    (store_folder / "evidence/one.jpg").write_bytes(PICTURES[0] * 100)
    config, problems = examined(toml)
    assert not problems
    unit = UnitState({**RUNNING, "StatusText": all_of_them})
    return fake_context(root, programs, config=config, config_file=toml, service=unit)


def bundled(ctx, path, mask=None):
    names = {**known_users(ctx.config), **known_names(ctx.root, SECRETS["host"])}
    mask = mask or Mask(known_secrets(ctx.root, ctx.config), names)
    finding = replace(failure(f"cannot reach {' '.join(SECRETS.values())}"), name="camera")
    report = report_values([finding], maskgate="1", machine="a machine", at=NOW, code=11)
    write_bundle(path, report, ctx, mask)
    with tarfile.open(path) as archive:
        return {
            member.name.partition("/")[2]: archive.extractfile(member).read()
            for member in archive.getmembers()
        }


def test_no_secret_is_in_the_bundle(ctx, tmp_path):
    files = bundled(ctx, tmp_path / "gate.tar.gz")
    for name, content in files.items():
        text = content.decode()
        for what, secret in {**SECRETS, "other card": OTHER_CARD}.items():
            for spelled in (secret, json.dumps(secret)[1:-1]):
                assert spelled not in text, f"{what} in {name}"
        for word in ("topsecret99", "xyzzy-psk", "who:knows"):
            assert word not in text, f"{word} in {name}"


def test_no_picture_is_in_the_bundle(ctx, tmp_path):
    for name, content in bundled(ctx, tmp_path / "gate.tar.gz").items():
        assert not any(magic in content for magic in PICTURES), name
        assert b"iVBORw0KGgoiVBORw0KGgo" not in content, name
        assert all(c.isprintable() or c in "\n\t" for c in content.decode()), name


def test_the_bundle_holds_what_helps(ctx, tmp_path):
    files = bundled(ctx, tmp_path / "gate.tar.gz")
    assert set(files) == {
        "about.txt", "doctor.json", "board.txt", "gate.toml", "events.jsonl", "service.log",
        "unit.txt", "models.json", "packages.txt",
    }
    assert json.loads(files["doctor.json"])["findings"][0]["name"] == "camera"
    events = [json.loads(line) for line in files["events.jsonl"].splitlines()]
    assert len(events) == NEWEST_EVENTS
    assert events[-1]["kind"] == "output_fault"
    assert "evidence" not in events[-1]
    assert b"rtsp://(hidden)@cam/1" in files["gate.toml"]
    assert b"ActiveState=active" in files["unit.txt"]
    assert b"numpy " in files["packages.txt"]
    assert "face-detector" in json.dumps(json.loads(files["models.json"]))


def test_only_its_owner_may_read_it(ctx, tmp_path):
    bundled(ctx, tmp_path / "gate.tar.gz")
    assert (tmp_path / "gate.tar.gz").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_had_is_said_and_costs_nothing_else(ctx, tmp_path):
    (ctx.root / "var/lib/maskgate/journal.db").write_bytes(b"no database" * 100)
    files = bundled(replace(ctx, ask=FakePrograms(tmp_path / "none").ask), tmp_path / "g.tar.gz")
    assert files["events.jsonl"].startswith(b"not to be had")
    assert b"there is no journalctl" in files["service.log"]
    assert b"numpy " in files["packages.txt"]


def test_a_bundle_that_cannot_be_written_leaves_nothing(ctx, tmp_path):
    (tmp_path / "folder.tar.gz").mkdir()
    with pytest.raises(OutputError):
        write_bundle(tmp_path / "folder.tar.gz", {}, ctx, str)
    assert not list(tmp_path.glob(".*tmp"))


@pytest.mark.parametrize("name", ["gate.zip", "none/gate.tar.gz", "."])
def test_a_wrong_name_is_told_before_anything_is_done(tmp_path, name):
    with pytest.raises(UsageError, match="--bundle"):
        check_bundle(tmp_path / name)


TOKENS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cc", "Zs"]),
    min_size=4, max_size=20,
)


@settings(deadline=None)
@given(secret=TOKENS, before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_known_secret_is_hidden_wherever_it_stands(secret, before, after):
    masked = Mask({secret: "(hidden)"})(f"{before} {secret} {after}")
    assert secret not in masked.replace("(hidden)", "")


@settings(deadline=None)
@given(st.text())
def test_a_masked_text_is_printable(text):
    assert all(c.isprintable() or c in "\n\t" for c in Mask({})(text))


@pytest.mark.parametrize(
    "text",
    [
        "camera 1280x720, 29.9 frames a second", "GPIO 17 was set high and reads low",
        "password_file /etc/maskgate/broker cannot be read", "mqtt://broker.example:1883",
        "the serial console is on", "2026-11-23T06:30:00+00:00", "a4c138:05 is no MAC",
    ],
)
def test_what_is_no_secret_stays(text):
    assert Mask({})(text) == text


ADVICE = (
    "/etc/maskgate/gate.toml has a camera's password in it -> sudo chgrp maskgate "
    "/etc/maskgate/gate.toml && sudo chmod 640 /etc/maskgate/gate.toml; see gate.toml.new"
)


@pytest.mark.parametrize(
    "name", ["gate", "Door", "disk", "camera", "maskgate", "mask", "toml", "chgrp", "sudo", "pass"]
)
def test_a_host_called_like_something_of_maskgates_spoils_no_advice(tmp_path, name):
    text = f"{ADVICE}; the door is open, disk /: 5 MiB, camera_fault"
    assert Mask({}, known_names(tmp_path, name))(text) == text
    assert Mask({}, {name: "(hidden)"})(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("tuer7: gone", "(host): gone"), ("http://tuer7:8070/", "http://(host):8070/"),
        ("tuer7.local and Xtuer7 and tuer77", "(host).local and Xtuer7 and tuer77"),
        ("it is (tuer7).", "it is ((host))."), ("tuer7-2 tuer7", "tuer7-2 (host)"),
        (r'"one\ntuer7"', r'"one\n(host)"'), ("see tuer7.toml.", "see tuer7.toml."),
        ("/srv/tuer7/models", "/srv/tuer7/models"), ("a=tuer7", "a=(host)"),
        ("/etc/NetworkManager/system-connections/tuer7", "/etc/NetworkManager/system-connections/"
         "(host)"), ("topic maskgate/tuer7/state", "topic maskgate/(host)/state"),
    ],
)
def test_a_name_is_hidden_as_a_word_and_not_in_a_path(text, masked):
    assert Mask({}, {"tuer7": "(host)"})(text) == masked


def test_short_secrets_do_not_eat_other_words():
    assert Mask({"at": "(hidden)"})("at the gate: at") == "(hidden) the gate: (hidden)"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_password_file_that_may_not_be_read_is_no_error(ctx):
    (ctx.root / "secret/broker").chmod(0)
    assert known_secrets(ctx.root, ctx.config)
