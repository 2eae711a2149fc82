"""Lets mutated files go all the way of an installation, and checks again what was taken."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from edge.errors import ModelError
from edge.modelfile import CARD_NAME, LABELS_NAME, Kind, parts_of
from edge.modelstore import keys
from edge.modelstore.install import install
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.state import State
from edge.modelstore.store import Store
from edge.modelstore.trialrun import Child, Passed
from edge.vision.selftest import MOST_TOLERANCE
from tests.edge.model_files import make, released
from tests.edge.model_mutations import Mutant


@dataclass
class Findings:
    """What became of the mutants: counts by way and end, and what must not be."""

    tried: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    reached_child: int = 0
    crashes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    forged: int = 0


class Children:
    """One child that tries many models, started again whenever one of them ended it."""

    def __init__(self, settings: UpdateSettings) -> None:
        self._settings = settings
        self._child: Child | None = None
        self.asked = 0
        self.started = 0

    def try_model(self, path: Path, kind: Kind, running: Path | None, shown: str) -> Passed:
        if self._child is None or not self._child.alive:
            self.close()
            self._child = Child(self._settings)
            self.started += 1
        self.asked += 1
        return self._child.ask(path, kind, None, shown)

    def close(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None


def fuzz(mutants: Iterable[Mutant], secret: bytes, public: str) -> Findings:
    """Install each of *mutants* into a store of its own, without keys; return what became of it.

    Each is also damaged after it was signed, and the signature must not hold.
    """
    findings = Findings()
    settings = UpdateSettings(trial_seconds=20)
    children = Children(settings)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "models")
        source = Path(folder) / "mutant.tflite"
        try:
            for mutant in mutants:
                findings.tried[mutant.how] += 1
                source.write_bytes(mutant.content)
                try:
                    done = install(
                        store, source, "mutant.tflite", settings, released(), children.try_model
                    )
                except ModelError as error:
                    reason = str(error)
                    findings.ends["refused"] += 1
                    if "\n" in reason or "bug" in reason:
                        findings.wrong.append(f"{mutant.how}: {reason}")
                    if "crashed" in reason or "took" in reason:
                        findings.crashes.append(f"{mutant.how}: {reason}")
                    if store.read() != State():
                        findings.wrong.append(f"{mutant.how}: refused, and the state changed")
                else:
                    end = "taken" if done.changed else "is what runs"
                    findings.ends[end] += 1
                    findings.taken[mutant.how] += 1
                    findings.wrong += [
                        f"{mutant.how}: taken, but {what}"
                        for what in broken_checks(mutant.content, done.model.kind)
                    ]
                    store.update(lambda _: State())
                    store.sweep()
                findings.forged += not signature_holds(mutant, secret, public)
                left = [path.name for path in store.folder.glob("*")]
                if left:
                    findings.wrong.append(f"{mutant.how}: left behind {left}")
        finally:
            children.close()
    findings.reached_child = children.asked
    return findings


def signature_holds(mutant: Mutant, secret: bytes, public: str) -> bool:
    """Return whether the signature of the unmutated file is taken for one of the mutant."""
    genuine = keys.signed(make(mutant.kind), secret, "x")
    trailer = genuine[-133:]
    # Both with the length of the signature in the archive's end record, and without.
    body = mutant.content[:-2] + (133).to_bytes(2, "little")
    for content in (body + trailer, mutant.content + trailer):
        if content == genuine:
            # What was damaged was the length itself.
            continue
        try:
            keys.signer(content, [public], "x")
        except ModelError:
            continue
        return True
    return False


def broken_checks(content: bytes, kind: Kind) -> list[str]:
    """Return what does not hold of a file that was taken, found by other means than before.

    The operators and types are read with the schema of the interpreter's own makers.
    """
    from convert.graph import check_int8

    texts, network = parts_of(content, Path("taken"))
    card = json.loads(texts[CARD_NAME])
    broken = []
    if hashlib.sha256(network).hexdigest() != card["network_sha256"]:
        broken.append("the digest is another")
    if card["kind"] != kind or card["labels"] != texts[LABELS_NAME].split():
        broken.append("kind or labels are others")
    test = card["self_test"]
    if not test or not test["outputs"] or test["tolerance"] > MOST_TOLERANCE:
        broken.append("the self-test proves nothing")
    if card["version"] <= 2:
        broken.append("it is not newer")
    try:
        check_int8(network)
    except Exception as error:
        broken.append(f"{type(error).__name__}: {error}")
    return broken
