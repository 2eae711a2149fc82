"""Every bad file gives one clear reason, and what runs keeps running."""

from __future__ import annotations

import io
import os
import random
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.errors import EXIT_MODEL, ModelError
from edge.modelfile import Kind
from edge.modelstore import keys
from edge.modelstore.arrival import PATIENCE
from edge.modelstore.command import model
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.state import KINDS
from edge.modelstore.store import Store
from tests.edge.model_files import (
    CLASSIFIER,
    DETECTOR,
    built,
    copied_in,
    crashing,
    feed_of,
    fields_of,
    float_typed,
    make,
    original,
    parts,
    released,
    released_version,
    settings_of,
    stored_names,
    with_tensors,
)
from tests.edge.test_modelstore_keys import OTHER, PUBLIC, SECRET

Ways = Callable[[Path, bytes, UpdateSettings], str]


def noise(size: int, head: bytes = b"") -> bytes:
    return head + random.Random(7).randbytes(size)


def picture() -> bytes:
    _, encoded = cv2.imencode(".png", np.zeros((40, 40, 3), np.uint8))
    return encoded.tobytes()


def archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("holiday.txt", "sun")
    return content.getvalue()


def said(**changes: Any) -> Callable[[dict[str, Any]], None]:
    """Return what changes a card so."""
    return lambda card: card.update(changes)


def self_tested(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda card: card["self_test"].update(changes)


def output_named(key: str, rows: Any) -> Callable[[dict[str, Any]], None]:
    return lambda card: card["self_test"]["outputs"].update({key: rows})


def swapped_network() -> bytes:
    """A detector's network under a classifier's card, right digest and all."""
    body, _, _ = parts(DETECTOR)
    return make(CLASSIFIER, network=lambda _: body)


def another_architecture(kind: Kind) -> bytes:
    """The other kind's network under a card of *kind* that states its input size truly."""
    other = CLASSIFIER if kind == DETECTOR else DETECTOR
    network, card, _ = parts(other)
    return make(kind, network=lambda _: network, change=said(input=card["input"]))


def labelled(text: str) -> bytes:
    body, card, _ = parts(DETECTOR)
    return built(body, {**card, "version": 100}, text)


def twice() -> bytes:
    content = io.BytesIO(make(DETECTOR))
    with pytest.warns(UserWarning), zipfile.ZipFile(content, "a") as file:
        file.writestr("maskgate.json", "{}")
    return content.getvalue()


def custom(network: bytes) -> bytes:
    content = bytearray(network)
    for place in (*fields_of(network, "codes", 0), *fields_of(network, "codes", 3)):
        content[place] = 32
    return bytes(content)


def pointing_outside(network: bytes) -> bytes:
    content = bytearray(network)
    for place in fields_of(network, "operators", 1):
        content[place : place + 4] = (2**31 - 1).to_bytes(4, "little")
    return bytes(content)


SIGNED = keys.signed(make(DETECTOR), SECRET, "new.tflite")
BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "is empty"),
    "one byte": (lambda: b"T", "not a TensorFlow Lite file"),
    "random bytes": (lambda: noise(5000), "not a TensorFlow Lite file"),
    "random bytes with a model's head": (
        lambda: noise(5000, original(DETECTOR)[:8]), "no maskgate card"),
    "a zip": (archive, "not a TensorFlow Lite file"),
    "a picture": (picture, "not a TensorFlow Lite file"),
    "a network without a card": (lambda: parts(DETECTOR)[0], "no maskgate card"),
    "cut short": (lambda: make(DETECTOR)[:-40], "cut short or damaged"),
    "a flipped bit": (
        lambda: make(DETECTOR)[:9000] + b"\x55" + make(DETECTOR)[9001:], "do not match the digest"),
    "two cards": (twice, "holds a name twice"),
    "a card without digest": (
        lambda: make(DETECTOR, change=said(network_sha256="")), "no digest"),
    "a card without self-test": (
        lambda: make(DETECTOR, change=said(self_test=None)), "no self-test"),
    "a self-test that tolerates all": (
        lambda: make(DETECTOR, change=self_tested(tolerance=255)), "proves nothing"),
    "a self-test of another network": (
        lambda: make(DETECTOR, change=self_tested(seed=21)), "fails its self-test"),
    "a temperature that judges nobody": (
        lambda: make(CLASSIFIER, change=lambda card: card["decision"].update(temperature=1000)),
        "decision.temperature = 1000; a gate takes 0.1 to 10"),
    "a float network": (lambda: make(DETECTOR, network=float_typed), "not an int8 network"),
    "a float network without digest": (
        lambda: built(float_typed(parts(DETECTOR)[0]), parts(DETECTOR)[1], None),
        "do not match the digest"),
    "16-bit tensors": (
        lambda: make(DETECTOR, network=partial(with_tensors, change=lambda kind: 7)), "is int16"),
    "custom operators": (lambda: make(DETECTOR, network=custom), "is CUSTOM"),
    "a flatbuffer that points outside": (
        lambda: make(DETECTOR, network=pointing_outside), "points outside itself"),
    "a detector's network where a classifier's belongs": (swapped_network, "its card says"),
    "a detector of another architecture": (
        lambda: another_architecture(DETECTOR), "maps with these channels are needed"),
    "a classifier of another architecture": (
        lambda: another_architecture(CLASSIFIER), "a mask-classifier has a square one"),
    "another input size": (
        lambda: make(DETECTOR, change=lambda card: card["input"].update(width=320)),
        "its card says [1, 288, 320, 3]"),
    "wrong labels": (lambda: make(CLASSIFIER, change=said(labels=["cat", "dog"])), "its labels"),
    "labels in another order": (
        lambda: make(CLASSIFIER, change=said(
            labels=["without_mask", "with_mask", "incorrect_mask"])), "labels.txt says"),
    "labels.txt of another network": (lambda: labelled("dog\ncat\n"), "labels.txt says"),
    "half a surrogate pair in the card": (
        lambda: make(CLASSIFIER, change=lambda card: card["decision"].update({"\ud800": "x"})),
        "its card says decision.\\ud800 = 'x'; a number is needed"),
    "half a surrogate pair for an output": (
        lambda: make(CLASSIFIER, change=output_named("\ud800", "x")), "outputs.\\ud800 = 'x'"),
    "a steered terminal": (
        lambda: make(CLASSIFIER, change=output_named("\x1b[31m\n", 7)),
        "outputs.\\x1b[31m\\n = 7;"),
    "an endless name for an output": (
        lambda: make(CLASSIFIER, change=output_named("a" * 500_000, 7)), "aaa... = 7;"),
    "an output that is not there": (
        lambda: make(CLASSIFIER, change=lambda card: card["self_test"]["outputs"].update(
            {"\ud800": next(iter(card["self_test"]["outputs"].values()))})), "\\ud800"),
    "a newer maskgate's": (
        lambda: make(DETECTOR, change=said(minimum_maskgate="99.0.0")), "update maskgate first"),
    "the same version": (lambda: make(DETECTOR, released_version()), "it is version "),
    "an older version": (lambda: make(DETECTOR, 1), "it is version 1"),
}


def by_command(root: Path, content: bytes, settings: UpdateSettings) -> str:
    """Install by `maskgate model install` and return what it says."""
    path = root.parent / "new.tflite"
    path.write_bytes(content)
    config = root.parent / "gate.toml"
    config.write_text(f'[updates]\nfolder = "{root}"\nkeys = {list(settings.keys)}\n')
    done = CliRunner().invoke(model, ["install", str(path), "--config", str(config)])
    assert isinstance(done.exception, ModelError), done.output
    assert done.exception.exit_code == EXIT_MODEL
    assert "new.tflite" in str(done.exception)
    return str(done.exception)


def by_copy(root: Path, content: bytes, settings: UpdateSettings) -> str:
    """Copy into the watched folder of a gate at work and return what its journal says."""
    feed = feed_of(root, settings)
    feed.start()
    copied_in(root, content)
    for second in (0.0, 3.0, PATIENCE + 1, PATIENCE + 2):
        feed.work(second)
    assert feed.poll() is None
    (note,) = feed.notes()
    assert (note.event, note.file) == ("model_refused", "new.tflite")
    feed.close()
    again = feed_of(root, settings)
    assert tuple(network.model for network in again.start()) == tuple(released().values())
    again.close()
    return note.words


@pytest.mark.parametrize("way", [by_command, by_copy])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_for_its_reason(tmp_path: Path, name: str, way: Ways) -> None:
    root = tmp_path / "models"
    make_it, reason = BAD[name]
    words = way(root, make_it(), settings_of(root))
    assert reason in words and words.isprintable() and str(root) not in words
    assert len(words) < 1000
    assert stored_names(root) == ["state.json"]
    assert Store(root).read().slots == {}


@pytest.mark.parametrize("way", [by_command, by_copy])
def test_a_file_that_crashes_the_interpreter_crashes_only_its_trial(
    tmp_path: Path, way: Ways
) -> None:
    root = tmp_path / "models"
    words = way(root, make(DETECTOR, network=crashing), settings_of(root))
    # A newer runtime may say no where LiteRT 2.3 aborts.
    assert "crashed the interpreter with SIGABRT" in words or "cannot be loaded" in words
    assert stored_names(root) == ["state.json"]


FORGED: dict[str, tuple[Callable[[], bytes], str]] = {
    "unsigned": (lambda: make(DETECTOR), "is not signed"),
    "signed by a stranger": (
        lambda: keys.signed(make(DETECTOR), OTHER, "x"), "not among the keys"),
    "changed after it was signed": (
        lambda: SIGNED.replace(b'"version": 100', b'"version": 101'), "cannot be read"),
    "with the signature of another file": (
        lambda: keys.signed(make(DETECTOR, 101), SECRET, "x")[:-133] + SIGNED[-133:], "is false"),
    "a replayed older version": (
        lambda: keys.signed(make(DETECTOR, 1), SECRET, "x"), "it is version 1"),
}


@pytest.mark.parametrize("way", [by_command, by_copy])
@pytest.mark.parametrize("name", FORGED)
def test_with_a_key_what_it_did_not_sign_is_refused(tmp_path: Path, name: str, way: Ways) -> None:
    root = tmp_path / "models"
    make_it, reason = FORGED[name]
    assert reason in way(root, make_it(), settings_of(root, keys=(PUBLIC,)))
    assert stored_names(root) == ["state.json"]


def test_what_a_retired_key_signed_runs_no_longer(tmp_path: Path) -> None:
    feed = feed_of(tmp_path, settings_of(tmp_path, keys=(PUBLIC,)))
    feed.start()
    copied_in(tmp_path, SIGNED)
    feed.work(0)
    feed.work(5)
    assert (swap := feed.poll()) is not None and swap.model.card.version == 100
    feed.close()
    stranger = keys.make_key(tmp_path / "other.key")
    later = feed_of(tmp_path, settings_of(tmp_path, keys=(stranger,)))
    assert later.start()[0].model == released()[DETECTOR]
    assert any("not among the keys" in note.words for note in later.notes())
    later.close()


@pytest.mark.parametrize(
    "name",
    ["a new one.tflite", "a..%2f..%2fetc.tflite", "$(reboot).tflite", "-rf.tflite", "ä.TFLITE"],
)
def test_a_strange_name_is_only_a_name(tmp_path: Path, name: str) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    copied_in(tmp_path, make(DETECTOR, change=said(name="../../../etc/passwd")), name)
    feed.work(0)
    feed.work(5)
    assert (swap := feed.poll()) is not None
    assert swap.model.path.parent == tmp_path / "store"
    assert swap.model.path.name.startswith("face-detector-100-")
    feed.close()


def test_a_link_or_a_pipe_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    (tmp_path / "real.tflite").write_bytes(make(DETECTOR))
    (tmp_path / "incoming" / "link.tflite").symlink_to(tmp_path / "real.tflite")
    os.mkfifo(tmp_path / "incoming" / "pipe.tflite")
    feed.work(0)
    feed.work(5)
    assert feed.poll() is None
    link, pipe = sorted(feed.notes(), key=lambda note: note.file)
    assert link.words == "link.tflite is a link, which is not followed; copy the model file itself"
    assert pipe.words == "pipe.tflite is no regular file; copy the model file itself"
    feed.close()


def test_a_file_that_changes_while_it_is_read_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    path = copied_in(tmp_path, make(DETECTOR, 107))
    changes = [make(DETECTOR, 108)]

    def step(name: str) -> None:
        if name == "copying" and changes:
            path.write_bytes(changes.pop())

    feed = feed_of(tmp_path, store=Store(tmp_path, step=step))
    feed.start()
    feed.work(0)
    feed.work(3)
    assert feed.poll() is None and feed.notes() == ()
    feed.work(4)
    feed.work(7)
    assert (swap := feed.poll()) is not None and swap.model.card.version == 108
    feed.close()


def test_a_file_that_is_replaced_while_it_is_read_is_one_or_the_other(tmp_path: Path) -> None:
    path = copied_in(tmp_path, make(DETECTOR, 107))
    other = tmp_path / "other"
    other.write_bytes(make(DETECTOR, 108))

    def step(name: str) -> None:
        if name == "copying" and other.exists():
            other.rename(path)

    feed = feed_of(tmp_path, store=Store(tmp_path, step=step))
    feed.start()
    versions = []
    for second in range(8):
        feed.work(float(second))
        if (swap := feed.poll()) is not None:
            versions.append(swap.model.card.version)
    assert versions == [107, 108] or versions == [108]
    feed.close()


def test_a_pinned_kind_takes_no_copy(tmp_path: Path) -> None:
    runner = CliRunner()
    for kind in KINDS:
        done = runner.invoke(model, ["pin", kind, "--folder", str(tmp_path)])
        assert done.exit_code == 0 and "is pinned" in done.output
    feed = feed_of(tmp_path)
    feed.start()
    copied_in(tmp_path, make(DETECTOR))
    feed.work(0)
    feed.work(5)
    assert any("is pinned to the released" in note.words for note in feed.notes())
    assert feed.poll() is None
    feed.close()


def test_truncated_anywhere_it_is_refused(tmp_path: Path) -> None:
    feed = feed_of(tmp_path)
    feed.start()
    content = make(DETECTOR)
    cuts = [*range(0, len(content), 17_501), len(content) - 1, len(content) - 23]
    for number, cut in enumerate(cuts):
        copied_in(tmp_path, content[:cut], f"{number:02}.tflite")
    for second in range(0, 140, 35):
        feed.work(float(second))
    refusals = [note for note in feed.notes() if note.event == "model_refused"]
    assert len({note.file for note in refusals}) == len(cuts)
    assert feed.poll() is None and stored_names(tmp_path) == ["state.json"]
    feed.close()
