"""The tables and drawings of docs/wiring.md."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from edge.config import default_config

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "wiring.md").read_text(encoding="utf-8")
FACE = 0.15  # metres


def rows(first: str) -> list[list[str]]:
    """The cells of the lines under the table head that begins with *first*."""
    lines = TEXT.split(f"| {first}", 1)[1].splitlines()[2:]
    found = []
    for line in lines:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


@pytest.mark.parametrize("row", rows("camera | looks"), ids=lambda row: row[0])
def test_a_cameras_reach_follows_from_its_angle(row: list[str]) -> None:
    half = math.tan(math.radians(float(row[1])) / 2)
    assert float(row[3]) == round(FACE / (0.04 * 2 * half), 1)
    assert float(row[4]) == round(FACE / (0.08 * 2 * half), 1)
    assert float(row[5]) == round(2 * 2 * half, 1)
    assert int(row[6]) == round(1280 * FACE / (2 * 2 * half))


@pytest.mark.parametrize("row", rows("camera's height"), ids=lambda row: row[0])
def test_the_tilt_follows_from_height_and_distance(row: list[str]) -> None:
    for cell, distance in zip(row[1:], (1.0, 1.5, 2.0, 3.0), strict=True):
        assert int(cell) == round(math.degrees(math.atan((float(row[0]) - 1.6) / distance)))


def test_the_pins_are_those_of_the_default_settings() -> None:
    outputs = default_config().outputs
    assert (outputs["buzzer"].pins, outputs["led"].pins) == ((17,), (27,))
    assert "| buzzer: R1 | 11 | 17 |" in TEXT and "| light: R2 | 13 | 27 |" in TEXT


@pytest.mark.parametrize("path", sorted(DOCS.glob("wiring-*.svg")), ids=lambda path: path.name)
def test_a_drawing_is_well_formed_told_in_words_and_shown(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    assert len(root.attrib["aria-label"]) > 40
    assert f"]({path.name})" in TEXT


def test_the_notice_is_one_page_of_a4_and_true_for_the_default_settings() -> None:
    text = (DOCS / "door-notice.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert (root.attrib["width"], root.attrib["height"]) == ("210mm", "297mm")
    config = default_config()
    days = re.search(r"After (\d+) days", text)
    assert days is not None and int(days[1]) == config.journal.max_days
    assert not config.pictures.enabled and "stores no pictures" in text
