"""The gates that the studio knows, what they say of their models, and how a model is sent.

Which gates there are stands in a TOML file that whoever starts the studio names: no visitor
gives an address.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from edge.errors import OutputError, SourceError, UsageError
from edge.files import replaced
from edge.modelfile import Kind, ModelFile
from train.studio.statuspage import Page, page_at

LARGEST_STATUS = 65536
_SSH_SECONDS = 20.0
_COPY_SECONDS = 300.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_SSH = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,63}@)?[A-Za-z0-9][A-Za-z0-9.-]{0,253}")
# Never asks for a password or a key's fingerprint: there is nobody to answer.
_BATCH = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=8", "-o", "StrictHostKeyChecking=yes")

Outcome = Literal["waiting", "trusted", "failed"]


class BrokerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[broker]`` table: where the gates tell how they are; *host* "" for no broker."""

    host: str = ""
    port: int = 1883
    username: str = ""
    password_file: str = ""
    tls: bool = False
    ca_file: str = ""
    base_topic: str = "maskgate"


class GateSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[gates.NAME]`` table.

    *models* is the gate's folder of models (``[updates] folder`` there): with ``incoming`` and
    ``status.json``; "" for a gate that is looked at and gets no models.  *ssh* is ``user@host``
    where it is on another machine, "" for a folder here.  *incoming* names another folder that the
    gate watches.  *page* is the address of its status page, and *token_file* has the token for
    that in its first line; "" for none.
    """

    models: str = ""
    ssh: str = ""
    incoming: str = ""
    page: str = ""
    token_file: str = ""

    @property
    def inbox(self) -> str:
        return self.incoming or f"{self.models}/incoming"

    @property
    def status(self) -> str:
        return f"{self.models}/status.json"


class Fleet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gates by name, and the broker that tells of them."""

    gates: dict[str, GateSettings] = {}
    broker: BrokerSettings = BrokerSettings()

    @property
    def takers(self) -> dict[str, GateSettings]:
        """The gates that models can be sent to."""
        return {name: gate for name, gate in self.gates.items() if gate.models}

    @property
    def pages(self) -> dict[str, Page]:
        """The status pages by the gates' names."""
        return {
            name: page_at(gate.page, gate.token_file)
            for name, gate in self.gates.items() if gate.page
        }


def read_fleet(path: Path) -> Fleet:
    """Return the gates in the TOML file at *path*.

    Raises UsageError that names the key, the value and what is allowed.
    """
    try:
        fleet = msgspec.toml.decode(path.read_bytes(), type=Fleet)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from error
    for name, gate in fleet.gates.items():
        if not _NAME.fullmatch(name):
            raise UsageError(f"{path}: gates.{name}: use letters, digits, dashes, underscores")
        if gate.ssh and not _SSH.fullmatch(gate.ssh):
            raise UsageError(f"{path}: gates.{name}.ssh is {gate.ssh!r}; user@host is allowed")
        _check(path, name, gate)
    return fleet


def _check(path: Path, name: str, gate: GateSettings) -> None:
    if not gate.models and not gate.page:
        raise UsageError(f"{path}: gates.{name} has neither models nor page; give one, or both")
    if not gate.models and (gate.ssh or gate.incoming):
        raise UsageError(f"{path}: gates.{name} has no models; ssh and incoming belong to them")
    if gate.token_file and not gate.page:
        raise UsageError(f"{path}: gates.{name} has no page; token_file belongs to it")
    places = {"models": gate.models, "incoming": gate.incoming, "token_file": gate.token_file}
    for key, place in places.items():
        if place and (not place.startswith("/") or any(ord(letter) < 32 for letter in place)):
            raise UsageError(
                f"{path}: gates.{name}.{key} is {place!r}; a path beginning with / is needed"
            )
    if gate.page:
        try:
            page_at(gate.page)
        except UsageError as error:
            raise UsageError(f"{path}: gates.{name}.{error}") from error


def gate_status(gate: GateSettings) -> dict[str, Any]:
    """Return the status of the models of *gate*, as ``edge.modelstore.status`` writes it.

    Raises SourceError in words where it cannot be read.
    """
    if gate.ssh:
        text = _remote(gate.ssh, f"head -c {LARGEST_STATUS} {shlex.quote(gate.status)}")
    else:
        try:
            with Path(gate.status).open("rb") as file:
                text = file.read(LARGEST_STATUS).decode("utf-8", "replace")
        except OSError as error:
            raise SourceError(
                f"{gate.status}: cannot be read ({error.strerror or error}); has the gate run?"
            ) from error
    try:
        value = json.loads(text)
    except ValueError as error:
        raise SourceError(f"{gate.status}: is no status of a gate ({error})") from error
    if not isinstance(value, dict) or not isinstance(value.get("models"), dict):
        raise SourceError(f"{gate.status}: is no status of a gate; is another file in its place?")
    return value


def send_model(gate: GateSettings, model: ModelFile) -> str:
    """Copy *model* into the folder that *gate* watches; return the name it has there.

    It appears there whole: first under a name that the gate passes over.  Raises OutputError.
    """
    card = model.card
    name = f"{card.kind}-{card.version}-{model.sha256[:12]}.tflite"
    if not gate.ssh:
        folder = Path(gate.inbox)
        try:
            with replaced(folder / name) as file, model.path.open("rb") as source:
                shutil.copyfileobj(source, file)
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot be written ({error.strerror or error}); does the gate's "
                "folder exist, and may you write there?"
            ) from error
        return name
    part, whole = (shlex.quote(f"{gate.inbox}/{n}") for n in (f".{name}.part", name))
    with model.path.open("rb") as source:
        _remote(
            gate.ssh, f"cat > {part} && sync {part} && mv {part} {whole}", source, _COPY_SECONDS
        )
    return name


def model_of(status: Mapping[str, Any], kind: Kind) -> Mapping[str, Any]:
    """Return what *status* says of the model of *kind*, empty where it says nothing."""
    found = status.get("models", {}).get(kind, {})
    return found if isinstance(found, dict) else {}


def outcome(
    status: Mapping[str, Any], kind: Kind, sha256: str, name: str, before: int
) -> tuple[Outcome, str]:
    """Return how the model with *sha256*, sent as *name*, fares by *status*, and that in words.

    *before* is the number of the last thing that had happened when it was sent.
    """
    chosen, last = model_of(status, kind), last_of(status)
    words = str(last.get("words", ""))[:300]
    if chosen.get("sha256") == sha256:
        if chosen.get("standing") in ("good", "released"):
            return "trusted", f"trusted: {chosen.get('name')} {chosen.get('version')}"
        return "waiting", "on probation"
    new = isinstance(last.get("number"), int) and last["number"] > before
    concerns = last.get("file") == name or sha256[:12] in str(last.get("model", ""))
    if new and concerns and last.get("event") in ("model_refused", "model_rolled_back"):
        return "failed", words or str(last["event"])
    if status.get("update") == "rolled_back" and new:
        return "failed", words or "rolled back"
    return "waiting", str(status.get("activity") or "not taken in yet")


def last_number(status: Mapping[str, Any]) -> int:
    """Return the number of the last thing that happened to a model, 0 for nothing yet."""
    number = last_of(status).get("number", 0)
    return number if isinstance(number, int) else 0


def last_of(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the last thing that happened to a model by *status*, empty for nothing yet."""
    last = status.get("last")
    return last if isinstance(last, dict) else {}


def order_of(gates: Sequence[str], first: str) -> list[str]:
    """Return *gates* with *first* in front; raises UsageError where it is none of them."""
    if first not in gates:
        raise UsageError(f"{first!r} is no gate; allowed are {', '.join(gates) or 'none'}")
    return [first, *(name for name in gates if name != first)]


def _remote(
    host: str, command: str, source: Any = subprocess.DEVNULL, seconds: float = _SSH_SECONDS
) -> str:
    """Return what *command* prints on *host*; raises OutputError in words."""
    try:
        done = subprocess.run(
            ["ssh", *_BATCH, "--", host, command], stdin=source, capture_output=True,
            timeout=seconds, check=False,
        )
    except subprocess.TimeoutExpired:
        raise OutputError(f"{host}: no answer within {seconds:g} s; is it on?") from None
    except OSError as error:
        raise OutputError(f"ssh cannot be run ({error.strerror or error}); install it") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = lines[-1][:200] if lines else f"code {done.returncode}"
        raise OutputError(f"{host}: {why}")
    return done.stdout.decode("utf-8", "replace")
