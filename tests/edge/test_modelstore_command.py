"""``maskgate model``, as a person and as a fleet tool use it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import EXIT_MODEL, EXIT_OUTPUT, EXIT_USAGE
from edge.modelfile import Kind
from edge.modelstore import state as states
from edge.modelstore.cardwords import card_text
from edge.modelstore.command import model
from edge.modelstore.state import KINDS
from edge.modelstore.status import EXIT_PENDING, EXIT_ROLLED_BACK
from edge.modelstore.store import Store
from edge.rim import Rim
from tests.edge.model_files import (
    DETECTOR,
    MODELS,
    feed_of,
    make,
    released,
    released_version,
    settings_of,
)


def maskgate(*arguments: object) -> Result:
    """Run ``maskgate model`` with *arguments*, errors told as the program tells them."""
    program = Rim("maskgate", commands={"model": model})
    return CliRunner().invoke(program, ["model", *map(str, arguments)])


@pytest.fixture
def gate(tmp_path: Path) -> list[object]:
    """The options that name a gate's store."""
    return ["--folder", tmp_path / "models"]


@pytest.fixture
def new(tmp_path: Path) -> Path:
    path = tmp_path / "new.tflite"
    path.write_bytes(make(DETECTOR))
    return path


def told(tmp_path: Path) -> list[str]:
    return [note.event for note in Store(tmp_path / "models").read().notes]


def status(*gate: object) -> dict[str, Any]:
    values = json.loads(maskgate("status", "--json", *gate).output)
    assert isinstance(values, dict)
    return values


def test_a_new_gate_is_settled_with_the_released_models(gate: list[object]) -> None:
    done = maskgate("status", *gate)
    assert done.exit_code == 0 and f"face-detector {released_version()}" in done.output
    assert maskgate("list", *gate).output.count("released") == 2
    assert [m["standing"] for m in status(*gate)["models"].values()] == ["released"] * 2


def test_installing_and_going_back_by_hand(tmp_path: Path, gate: list[object], new: Path) -> None:
    done = maskgate("install", new, *gate)
    assert done.exit_code == 0 and "on probation for 10 minutes" in done.output
    assert maskgate("status", *gate).exit_code == EXIT_PENDING
    again = maskgate("install", new, "--json", *gate)
    assert again.exit_code == 0 and json.loads(again.output)["changed"] is False
    back = maskgate("rollback", DETECTOR, *gate)
    assert back.exit_code == 0 and "the released face-detector runs again" in back.output
    assert maskgate("status", *gate).exit_code == EXIT_ROLLED_BACK
    assert list((tmp_path / "models" / "store").iterdir()) == []
    refused = maskgate("install", new, *gate)
    assert refused.exit_code == EXIT_MODEL and "rolled back before (by hand)" in refused.stderr
    assert maskgate("install", new, "--again", *gate).exit_code == 0
    assert told(tmp_path) == [
        "model_installed", "model_rolled_back", "model_refused", "model_installed"
    ]


def test_a_downgrade_is_explicit_and_in_the_journal(
    tmp_path: Path, gate: list[object], new: Path
) -> None:
    new.write_bytes(make(DETECTOR, 1))
    refused = maskgate("install", new, *gate)
    assert refused.exit_code == EXIT_MODEL and "--allow-downgrade" in refused.stderr
    assert maskgate("install", new, "--allow-downgrade", *gate).exit_code == 0
    notes = Store(tmp_path / "models").read().notes
    assert "ALTHOUGH IT IS NO NEWER (--allow-downgrade)" in notes[-1].words
    # The gate's own journal gets it from its feed, at the next start or within seconds.
    feed = feed_of(tmp_path / "models")
    feed.start()
    assert notes[-1] in feed.notes()
    feed.close()


def test_a_kept_model_that_was_trusted_is_not_said_to_be_on_probation(
    tmp_path: Path, gate: list[object], new: Path
) -> None:
    root = tmp_path / "models"
    first = new.read_bytes()
    for content in (first, make(DETECTOR, 101)):
        new.write_bytes(content)
        maskgate("install", new, *gate)
        Store(root).update(lambda state: states.proved(state, DETECTOR))
    new.write_bytes(first)
    done = maskgate("install", new, "--allow-downgrade", *gate)
    assert done.exit_code == 0 and "on probation" not in done.output
    assert "it was proved before and runs without probation" in done.output
    assert maskgate("status", *gate).exit_code == 0
    back = maskgate("rollback", DETECTOR, *gate)
    assert re.search(r" 100 .* was rolled back: by hand; .* 101 .* runs again", back.output)


def test_a_fleet_tool_sees_an_update_through(tmp_path: Path, gate: list[object], new: Path) -> None:
    maskgate("install", new, *gate)
    root = tmp_path / "models"
    feed = feed_of(root, settings_of(root, probation_minutes=0.02))
    feed.start()
    assert status(*gate)["models"][DETECTOR]["running"] is True
    for frame in range(30):
        feed.saw(frame / 10, 0)
    feed.work(0)
    feed.close()
    line = (root / "status.json").read_text()
    assert line.count("\n") == 1 and line.endswith("\n")
    values = json.loads(line)
    assert values["update"] == "settled" and values["last"]["event"] == "model_trusted"
    assert values["models"][DETECTOR]["version"] == 100
    assert maskgate("status", "--wait", 5, *gate).exit_code == 0


def test_a_key_is_made_used_and_asked_for(tmp_path: Path, new: Path) -> None:
    key, config = tmp_path / "gate.key", tmp_path / "gate.toml"
    made = maskgate("keygen", key)
    assert made.exit_code == 0
    updates = made.output[made.output.index("[updates]") :]
    config.write_text(f'{updates}\nfolder = "{tmp_path / "models"}"\n')
    gate = ["--config", config]
    refused = maskgate("install", new, *gate)
    assert refused.exit_code == EXIT_MODEL and "is not signed" in refused.stderr
    assert maskgate("verify", new, *gate).exit_code == EXIT_MODEL
    signed = tmp_path / "signed.tflite"
    assert maskgate("sign", new, "--key", key, "--out", signed).exit_code == 0
    assert "is signed by" in maskgate("verify", signed, *gate).output
    assert "signed by" in maskgate("show", signed).output
    assert maskgate("install", signed, *gate).exit_code == 0
    assert "signed by" in maskgate("list", *gate).output


def figures_in(tree: object) -> list[str]:
    """Return every number in *tree*, as it is shown."""
    if isinstance(tree, dict):
        return [figure for value in tree.values() for figure in figures_in(value)]
    return [f"{tree:.4g}"] if isinstance(tree, float) else []


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_is_shown_for_people_and_for_programs(kind: Kind) -> None:
    path = MODELS / f"{kind}.int8.tflite"
    shown, whole = maskgate("show", path), maskgate("show", path, "--all")
    assert shown.exit_code == whole.exit_code == 0
    for part in ("x288 RGB" if kind == DETECTOR else "112x112 RGB", "self-test", "made from"):
        assert part in shown.output
    # Two screens of what matters; the rest is named, and shown when asked for.
    assert len(shown.output.splitlines()) <= 80 and "(--all)" in shown.output
    assert "(--all)" not in whole.output
    values = json.loads(maskgate("show", path, "--json").output)
    assert values["kind"] == kind
    figures = figures_in(values["metrics"])
    assert len(figures) > 50 and [f for f in figures if f not in whole.output] == []


def test_a_figure_is_shown_with_its_interval_and_a_table_by_its_rows(new: Path) -> None:
    metrics = {"door": {
        "recall": {"value": 0.9, "low": 0.85, "high": 0.95}, "confusion": [[1, 2], [3, 4]],
    }}
    new.write_bytes(make(DETECTOR, change=lambda card: card.update(metrics=metrics)))
    assert "door: recall 0.9 (0.85 to 0.95), confusion 1 2 / 3 4" in maskgate("show", new).output


json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["value", "low", "high", "", "a\x1b", "b b"]), inner),
    max_leaves=30,
)


@given(st.dictionaries(st.text(max_size=5), json_values), st.booleans())
def test_whatever_a_card_says_of_itself_can_be_shown(
    tree: dict[str, Any], everything: bool
) -> None:
    model = released()[DETECTOR]
    card = dataclasses.replace(model.card, metrics=tree, provenance=tree)
    text = card_text(dataclasses.replace(model, card=card), "", everything)
    assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["install", "."], EXIT_MODEL, "is no regular file"),
        (["status", "--wait", "nan"], EXIT_USAGE, "nan is no number"),
        (["install", "/none.tflite"], EXIT_MODEL, "such file or directory; check its name"),
        (["show", "/none.tflite"], EXIT_MODEL, "does not exist"),
        (["show", "/"], EXIT_MODEL, "Is a directory; name a .tflite file"),
        (["rollback", DETECTOR], EXIT_USAGE, "none before it to go back to"),
        (["rollback", "cat-detector"], EXIT_USAGE, "cat-detector"),
        (["verify", MODELS / "face-detector.int8.tflite"], EXIT_USAGE, "no key is configured"),
        (["status", "--wait", "-1"], EXIT_USAGE, "-1"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_a_code(
    gate: list[object], arguments: list[object], code: int, says: str
) -> None:
    named = gate if arguments[0] not in ("show", "verify") else []
    done = maskgate(*arguments, *named)
    assert done.exit_code == code and says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_key_that_cannot_be_written_is_one_line_and_its_code(tmp_path: Path) -> None:
    done = maskgate("keygen", tmp_path / ("k" * 300))
    assert done.exit_code == EXIT_OUTPUT and "File name too long; name a file" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_store_that_cannot_be_is_told(tmp_path: Path, new: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = maskgate("install", new, "--folder", tmp_path / "file" / "models")
    assert done.exit_code == EXIT_OUTPUT and "cannot" in done.stderr


def test_pinning_keeps_copies_out_and_is_taken_back(gate: list[object], new: Path) -> None:
    assert "is pinned" in maskgate("pin", DETECTOR, *gate).output
    assert status(*gate)["models"][DETECTOR]["pinned"] is True
    refused = maskgate("install", new, *gate)
    assert refused.exit_code == EXIT_MODEL and "--off" in refused.stderr
    assert "no longer pinned" in maskgate("pin", DETECTOR, "--off", *gate).output
    assert maskgate("install", new, *gate).exit_code == 0


def test_a_file_that_changes_while_it_is_read_is_refused_in_a_line(
    tmp_path: Path, gate: list[object], new: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replaced_meanwhile(step: str) -> None:
        if step == "copying":
            new.write_bytes(b"another")

    def store(root: Path) -> Store:
        return Store(root, step=replaced_meanwhile)

    monkeypatch.setattr("edge.modelstore.actions.Store", store)
    refused = maskgate("install", new, *gate)
    assert refused.exit_code == EXIT_MODEL and len(refused.stderr.splitlines()) == 1
    assert "still being copied; install it again" in refused.stderr
    assert list((tmp_path / "models" / "store").iterdir()) == []


def test_what_a_card_says_does_not_steer_the_terminal(new: Path) -> None:
    new.write_bytes(make(DETECTOR, change=lambda card: card.update(name="a\n\x1b[31mb")))
    shown = maskgate("show", new)
    assert shown.exit_code == 0 and "name            a??[31mb" in shown.output


def test_help_and_docs_tell_the_same_exit_codes() -> None:
    told = maskgate("--help").output.split("Exit codes:")[1]
    codes = [line.split()[0] for line in told.strip().splitlines()]
    text = (MODELS.parent / "docs/updates.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")]
    assert codes == [row for row in rows if row.isdigit()]
    assert codes == ["0", "1", "2", "4", "5", str(EXIT_PENDING), str(EXIT_ROLLED_BACK), "130"]
