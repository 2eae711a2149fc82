"""The numbers in docs/decision.md are the ones the code computes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import edge
from edge.gate.decision import DecisionSettings
from edge.gate.explain import EXAMPLE, clear_table, time_to_verdict, worked_table
from edge.gate.policy import PolicySettings

PAGE = (Path(edge.__file__).parents[1] / "docs" / "decision.md").read_text(encoding="utf-8")
SETTINGS = DecisionSettings()


@pytest.mark.parametrize(
    "table", [worked_table(EXAMPLE, SETTINGS), clear_table(SETTINGS)], ids=["worked", "clear"]
)
def test_a_table_on_the_page_is_the_computed_one(table):
    assert table in PAGE, "run python -m edge.gate.explain and paste what it prints"


@pytest.mark.parametrize("settings", [SETTINGS, PolicySettings()])
def test_the_page_states_every_default(settings):
    for name, value in (
        (name, getattr(settings, name)) for name in settings.__dataclass_fields__
    ):
        if isinstance(value, float | int):
            row = re.search(rf"^\| `{name}` \| ([\d.]+) ", PAGE, re.MULTILINE)
            assert row is not None and float(row[1]) == value, name


def test_the_example_ends_with_a_verdict_and_shows_looks_that_are_none():
    rows = worked_table(EXAMPLE, SETTINGS).splitlines()
    assert "no_mask" in rows[-1] and any("blurred" in row for row in rows)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_a_clear_face_is_judged_within_half_a_second_at_thirty_frames(label):
    assert 0.1 < time_to_verdict(label, 30, SETTINGS)[0] <= 0.5
