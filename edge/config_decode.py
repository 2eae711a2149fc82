"""From a TOML file to a tree of dataclasses, with every mistake named by its key.

The tree is any dataclass whose fields are dataclasses (sections), dictionaries of dataclasses
(sections with names of the owner's choice), or plain values.  What a section does not allow it
raises itself, as a ValueError whose message begins with the field's name.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from edge.camera.uri import without_password
from edge.config_text import key_text, value_words
from edge.errors import MaskgateError, UsageError
from edge.files import regular

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

# Some hundred times the shipped file; reading more would only help whoever fills the memory.
_MOST_BYTES = 1_000_000  # 1 MB
# A value may be as long as the file; a message that quotes it may not.
_MOST_CHARACTERS = 600
# What is longer than an integer in a file usually is neither fits a float nor can be printed.
_MOST_BITS = 64
# Looking for what was meant takes time, and a file of another kind has a mistake in every line.
_MOST_PROBLEMS = 50
_ANY_NAME = "NAME"
_PLACE = re.compile(r"at `\$\[(?:(\d+)|\.\.\.)\]`")
_LEADING_NAME = re.compile(r"([a-z][a-z0-9_]*)[ :.\[]")


class Decoded(Generic[T]):
    """What a document came to: a *value*, or None and the *problems*, each one line."""

    def __init__(self, value: T | None, problems: tuple[str, ...]) -> None:
        self.value = value
        self.problems = problems


def read_document(path: Path) -> dict[str, Any]:
    """Return the tables of the TOML file at *path*.

    Raises UsageError, one line, for what is no regular file, cannot be read, is over 1 MB,
    not UTF-8, or not TOML; then with line and column.
    """
    content = _read(path)
    try:
        # Editors of another system put a mark at the start, which TOML does not know.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UsageError(
            one_line(f"{path}: is not UTF-8 text (line {line}); save it as UTF-8")
        ) from None
    try:
        document: dict[str, Any] = tomllib.loads(text)
    except RecursionError:
        raise UsageError(one_line(f"{path}: has brackets within brackets, too deep")) from None
    except ValueError as error:  # tomllib's own, and int() for a number of thousands of digits
        last = f"at the end, line {text.count(chr(10)) + 1}"
        reason = str(error).replace("at end of document", last)
        raise UsageError(one_line(f"{path}: is not TOML: {reason}")) from None
    return document


def decode(kind: type[T], document: Mapping[str, Any]) -> Decoded[T]:
    """Return *document* as a *kind*; what it leaves out is the default.

    All problems that can be told apart are told, but for those after the fiftieth: types and
    unknown keys everywhere, and what a section does not allow, one after the other.
    """
    problems: list[str] = []
    value = _section(kind, document, "", problems, tuple(leaf_keys(kind)))
    lines = tuple(one_line(problem) for problem in problems)
    return Decoded(None, lines) if lines else Decoded(value, ())


def leaf_keys(kind: type[Any], place: str = "") -> Iterator[str]:
    """Yield the dotted keys of all plain values in the tree *kind*, ``outputs.NAME.pin`` too."""
    hints = get_type_hints(kind)
    for one in fields(kind):
        where = _joined(place, one.name)
        inner = _named_section(hints[one.name])
        if is_dataclass(hints[one.name]):
            yield from leaf_keys(hints[one.name], where)
        elif inner is not None:
            yield from leaf_keys(inner, f"{where}.{_ANY_NAME}")
        else:
            yield where


def told_as(message: str, names: Mapping[str, str], otherwise: str) -> str:
    """Return *message* about a setting with the name that its writer knows the setting by.

    A message that begins with a field's name in *names* begins with what that maps to; any
    other is put behind *otherwise*.
    """
    name = leading_name(message)
    if name in names:
        return names[name] + message[len(name) :]
    # A room may name its section itself.
    if not otherwise or message.startswith((f"{otherwise} ", f"{otherwise}.", f"{otherwise}:")):
        return message
    return f"{otherwise}: {message}"


def leading_name(message: str) -> str:
    """Return the field's name that *message* begins with, empty where it begins otherwise."""
    found = _LEADING_NAME.match(message)
    return found[1] if found else ""


def one_line(text: str) -> str:
    """Return *text* as one line that can be printed, its middle left out where it is long.

    User and password of a camera's address are hidden: a journal keeps what is wrong.
    """
    text = without_password(text)
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    if len(line) <= _MOST_CHARACTERS:
        return line
    half = _MOST_CHARACTERS // 2
    return f"{line[:half]} ... {line[-half:]}"


def _read(path: Path) -> bytes:
    try:
        with regular(path) as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        advice = "'maskgate config default' prints one to begin with"
        raise UsageError(one_line(f"{path}: no such configuration; {advice}")) from None
    except IsADirectoryError:
        raise UsageError(one_line(f"{path}: is a folder; name the file in it")) from None
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(one_line(f"{path}: cannot be read: {reason}")) from None
    except ValueError as error:  # a name with a NUL in it
        raise UsageError(one_line(f"{path}: cannot be read: {error}")) from None
    if len(content) > _MOST_BYTES:
        raise UsageError(one_line(f"{path}: is larger than 1 MB, so it is no configuration"))
    return content


def _section(
    kind: type[Any],
    values: Mapping[str, Any],
    place: str,
    problems: list[str],
    everywhere: tuple[str, ...],
) -> Any:
    """Return *values* as a *kind*; what is wrong with them is added to *problems*."""
    hints = get_type_hints(kind)
    known = {one.name: one for one in fields(kind) if one.init}
    given = {}
    for name, value in values.items():
        if len(problems) >= _MOST_PROBLEMS:
            break
        where = _joined(place, key_text(name))
        if name not in known:
            here = {n: _has_sections(hints[n]) for n in known}
            problems.append(_unknown(where, name, value, here, everywhere))
            continue
        wanted = hints[name]
        inner = _named_section(wanted)
        if _has_sections(wanted):
            if not isinstance(value, dict):
                header = f"[{where}]" if inner is None else f"[{where}.{_ANY_NAME}]"
                problems.append(f"{where} is {value_words(value)}; allowed: a section, {header}")
                continue
            if inner is None:
                made = _section(wanted, value, where, problems, everywhere)
            else:
                made = _named(inner, value, where, problems, everywhere)
            if made is not None:
                given[name] = made
            continue
        if any(isinstance(text, str) and "\0" in text for text in _texts(value)):
            # No path and no name of anything may have one, and C libraries stop reading there.
            problems.append(f"{where} holds a NUL, \\u0000; allowed: a text without")
            continue
        try:
            given[name] = _plain(wanted, value)
        except (ValueError, OverflowError, RecursionError) as error:  # the first is msgspec's too
            at, culprit, needed = _culprit(wanted, value, str(error))
            allowed = _allowed(needed, MISSING if at else _default(known[name]))
            problems.append(f"{where}{at} is {value_words(culprit)}; allowed: {allowed}")
    missing = [n for n, one in known.items() if n not in values and _default(one) is MISSING]
    problems.extend(f"{_joined(place, name)} is missing" for name in missing)
    return _built(kind, given, place, problems)


def _named(
    kind: type[Any],
    tables: Mapping[str, Any],
    place: str,
    problems: list[str],
    everywhere: tuple[str, ...],
) -> dict[str, Any]:
    sections = {}
    if not tables:
        # Whoever leaves only the header behind wants what is without it, and would get nothing.
        problems.append(
            f"{place} is an empty section; allowed: one [{place}.{_ANY_NAME}] or more, or leave "
            f"[{place}] out for the default"
        )
    for name, table in tables.items():
        if len(problems) >= _MOST_PROBLEMS:
            break
        where = _joined(place, key_text(name))
        if isinstance(table, dict):
            made = _section(kind, table, where, problems, everywhere)
            if made is not None:
                sections[name] = made
        else:
            problems.append(
                f"{where} is {value_words(table)}; allowed: a section, [{place}.{_ANY_NAME}]"
            )
    return sections


def _built(kind: type[Any], given: dict[str, Any], place: str, problems: list[str]) -> Any:
    """Return *kind* of the *given* values; without those that it refuses, which are told."""
    names = {one.name: _joined(place, one.name) for one in fields(kind)}
    given = dict(given)
    needed = {one.name for one in fields(kind) if one.init and _default(one) is MISSING}
    refused = set()
    # What is needed and not here was told: it is missing, or it was of a wrong type.
    while needed <= given.keys():
        try:
            return kind(**given)
        except (ValueError, MaskgateError) as error:
            culprit = leading_name(str(error))
            if culprit in refused:
                # It was left out for what it was; that it is missing now is nobody's mistake.
                return None
            problems.append(told_as(str(error), names, place))
            # Without the culprit the others can be tried, and each is told at once.
            if given.pop(culprit, None) is None:
                return None
            refused.add(culprit)
    return None


def _plain(wanted: Any, value: Any) -> Any:
    if isinstance(value, float) and value != value:
        raise ValueError("not a number")
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise ValueError("beyond all ranges")
    return msgspec.convert(value, wanted)


def _culprit(wanted: Any, value: Any, error: str) -> tuple[str, Any, Any]:
    """Return where in *value* msgspec's *error* lies, as a suffix of its key, what it is, its type.

    All of *value* where it does not say.
    """
    found = _PLACE.search(error)
    origin, inner = get_origin(wanted), [one for one in get_args(wanted) if one is not Ellipsis]
    if found is None or not inner:
        return "", value, wanted
    if isinstance(value, list) and origin in (tuple, list) and found[1]:
        index = int(found[1])
        kind = inner[index] if index < len(inner) and Ellipsis not in get_args(wanted) else inner[0]
        return f"[{index}]", value[index], kind
    if isinstance(value, dict) and len(inner) == 2:
        # msgspec does not tell the name: the first that does not fit is meant.
        for name, one in value.items():
            try:
                _plain(inner[1], one)
            except (ValueError, OverflowError, RecursionError):
                return f".{key_text(name)}", one, inner[1]
    return "", value, wanted


def _texts(value: Any) -> Iterable[Any]:
    """Return the values in *value* that may be texts."""
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else (value,)


def _unknown(
    where: str, name: str, value: Any, here: Mapping[str, bool], everywhere: tuple[str, ...]
) -> str:
    """Return the words for a *name* that is none of those *here* (a section each, or not)."""
    section = isinstance(value, dict)
    said = f"unknown section [{where}]" if section else f"unknown key {where}"
    elsewhere = [key for key in everywhere if key.rpartition(".")[2] == name]
    likely = [known for known, its_section in here.items() if its_section == section]
    near = difflib.get_close_matches(name.lower().replace("-", "_"), likely, n=1)
    if len(elsewhere) == 1 and not section:
        return f"{said}; did you mean {elsewhere[0]}?"
    if near:
        return f"{said}; did you mean {f'[{near[0]}]' if section else near[0]}?"
    known = (f"[{one}]" if its_section else one for one, its_section in here.items())
    return f"{said}; allowed: {', '.join(known)}"


def _has_sections(kind: Any) -> bool:
    return is_dataclass(kind) or _named_section(kind) is not None


def _named_section(kind: Any) -> Any:
    """Return the dataclass in a dictionary of dataclasses, None for any other type."""
    inner = get_args(kind)
    if len(inner) == 2 and inner[0] is str and is_dataclass(inner[1]):
        return inner[1]
    return None


def _allowed(kind: Any, default: Any) -> str:
    words = _type_words(kind)
    if kind in (str, int, float) and default not in ("", None, MISSING):
        words += f" such as {value_words(default)}"
    return words


def _type_words(kind: Any) -> str:
    plain = {
        str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false",
    }
    if kind in plain:
        return plain[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return "one of " + ", ".join(value_words(one) for one in inner)
    if origin in (Union, UnionType):
        return " or ".join(_type_words(one) for one in inner if one is not NoneType)
    if origin in (tuple, list):
        each = dict.fromkeys(_type_words(one) for one in inner if one is not Ellipsis)
        return "a list [...] of which each is " + " or ".join(each)
    if inner:
        return "a table { name = value } in which each value is " + _type_words(inner[-1])
    return str(getattr(kind, "__name__", kind))


def _default(one: Field[Any]) -> Any:
    if one.default_factory is not MISSING:
        return one.default_factory()
    return one.default


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
