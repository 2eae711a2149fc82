"""The page about outputs says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge.alerts.kinds import KINDS
from edge.alerts.patterns import parse_pattern
from edge.alerts.settings import OutputSettings
from edge.gate.policy import GateState

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "outputs.md").read_text(encoding="utf-8")


def table(heading: str) -> list[list[str]]:
    """Return the cells of the first table under *heading*, its own heading first."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line[:1] == "|" and "|---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_defaults_is_the_one_in_the_code():
    head, *rows = table("What is shown when nothing is configured")
    names = [cell.strip("`") for cell in head[1:]]
    assert names == list(KINDS)
    written = {(row[0].strip("`"), name): text for row in rows for name, text in zip(
        names, row[1:], strict=True)}
    assert written == {
        (state.value, name): kind.states[state] for name, kind in KINDS.items()
        for state in GateState
    }


def test_every_kind_is_described_with_its_pins():
    rows = {row[0].strip("`"): row[2] for row in table("Kinds and wiring")[1:]}
    assert list(rows) == list(KINDS)
    for name, kind in KINDS.items():
        several = ", ".join(kind.pin_names)
        assert rows[name].startswith(several if len(kind.pin_names) > 1 else "1")


@pytest.mark.parametrize("text", [
    text for row in table("Patterns")[1:6] for text in re.findall(r"`([^`]*)`", row[0])
])
def test_every_pattern_on_the_page_is_one_of_some_kind(text):
    read = []
    for kind in KINDS.values():
        try:
            read.append(parse_pattern(text, kind.level))
        except ValueError:
            continue
    assert read


def test_the_example_is_a_configuration():
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML by itself")
    example = tomllib.loads(PAGE.split("```toml\n")[1].split("```")[0])
    outputs = {name: OutputSettings(**(one | {"pins": tuple(one["pins"])}))
               for name, one in example["outputs"].items()}
    assert outputs["door"].patterns()[GateState.PASS].on_seconds == 1.5
    assert outputs["lights"].patterns()[GateState.CRASH].level == "red"
