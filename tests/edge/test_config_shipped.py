"""The shipped gate.toml and docs/configuration.md: every key, its default, its meaning."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge.config import Config, config_text, default_config, examined, read_config
from edge.config_decode import decode, leaf_keys

DOCS = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
# A key that is commented out has no space after the mark, a comment has one.
KEY = re.compile(r"#?([a-z][a-z0-9_]*) = (.*)")
HEADER = re.compile(r"#?\[([A-Za-z0-9_.-]+)\]")


@dataclass(frozen=True)
class Entry:
    """A section or a key of the shipped file, and the comment above it.

    *default* is None for a section, and empty for a key that is commented out.
    """

    place: str
    comment: str
    default: str | None = None


def entries() -> Iterator[Entry]:
    """Yield the sections and keys of the shipped file in their order."""
    section, comment = "", []
    for line in config_text().splitlines():
        header, key = HEADER.fullmatch(line), KEY.fullmatch(line)
        if header:
            section = header[1]
            yield Entry(section, " ".join(comment))
        elif key:
            yield Entry(f"{section}.{key[1]}", " ".join(comment), "" if line[0] == "#" else key[2])
        elif line.startswith("# "):
            comment.append(line[2:].strip())
            continue
        comment = []


def in_general(place: str) -> str:
    """Return *place* with NAME for what the owner of a shop may call an output."""
    return re.sub(r"^outputs\.[^.]+", "outputs.NAME", place)


def reference() -> str:
    """Return the tables of docs/configuration.md, made of the shipped file."""
    lines = []
    for entry in entries():
        # Two spaces end a sentence in a file of fixed width; a page has one.
        said = re.sub(r" +", " ", entry.comment).replace("|", "\\|")
        if entry.default is None:
            lines += ["", f"### `[{entry.place}]`", ""]
            lines += re.split(r"(?<=\.) (?=[A-Z])", said)
            lines += ["", "| key | default | |", "|---|---|---|"]
        else:
            key = entry.place.rpartition(".")[2]
            default = f"`{entry.default}`" if entry.default else "none"
            lines.append(f"| `{key}` | {default} | {said} |")
    return "\n".join(lines).strip()


def uncommented() -> str:
    """Return the shipped file with what is commented out in force."""
    return re.sub(r"(?m)^#(?=[a-z]\w* = |\[)", "", config_text())


def test_the_shipped_file_is_the_defaults(tmp_path):
    file = tmp_path / "gate.toml"
    file.write_text(config_text(), encoding="utf-8")
    assert read_config(file) == default_config()


def test_what_it_has_commented_out_is_right_too(tmp_path):
    file = tmp_path / "gate.toml"
    file.write_text(uncommented(), encoding="utf-8")
    assert examined(file)[1] == ()


def test_every_key_is_in_it_and_no_other():
    named = [in_general(e.place) for e in entries() if e.default is not None]
    assert set(named) == set(leaf_keys(Config))


def test_everything_in_it_has_a_comment():
    # A second output of a kind that was explained is not explained again.
    first = {in_general(e.place): e for e in reversed([*entries()])}
    bare = [e.place for e in first.values() if not e.comment.rstrip().endswith(".")]
    assert not bare


# What is commented out, which has an empty default here, is a number too.
NUMERIC = [e for e in entries() if e.default is not None and re.fullmatch(r"[0-9.]*", e.default)]


@pytest.mark.parametrize("entry", NUMERIC, ids=lambda entry: entry.place)
def test_the_range_in_a_comment_is_the_range(entry):
    found = re.search(r"([0-9.]+)(?: \([a-z]+\))? to ([0-9.]*[0-9])", entry.comment)
    assert found, f"{entry.place}: the comment says no range"
    low, high = (float(bound) for bound in found.groups())
    whole = "." not in (entry.default or ".")

    def problems(value: float) -> tuple[str, ...]:
        *path, key = entry.place.split(".")
        table = {"kind": "led", "pins": [17]} if path[0] == "outputs" else {}
        table[key] = int(value) if whole else value
        for part in reversed(path):
            table = {part: table}
        return decode(Config, table).problems

    assert problems(low) == problems(high) == ()
    step = 1 if whole else 0.001 * low or 0.001
    for outside in (low - step, high + step):
        (line,) = problems(outside)
        assert line.startswith(f"{entry.place} is ") and "allowed: " in line


def test_no_line_is_wider_than_a_narrow_window():
    assert max(map(len, config_text().splitlines())) <= 100


def test_the_page_is_the_file():
    page = DOCS.read_text(encoding="utf-8")
    missing = [line for line in reference().splitlines() if line not in page]
    assert not missing, textwrap.shorten(f"docs/configuration.md lacks {missing}", 2000)
    assert reference() in page, "docs/configuration.md has the lines in another order"


def test_the_page_names_no_key_that_is_not():
    page = DOCS.read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `([a-z_]+)` \| (?:`|none)", page)
    keys = {entry.place.rpartition(".")[2] for entry in entries() if entry.default is not None}
    assert set(rows) <= keys
