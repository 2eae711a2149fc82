"""Settings of a training: a TOML file over the defaults of a tree of dataclasses."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from edge.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Settings = TypeVar("Settings")


def read_settings(defaults: Settings, path: Path) -> Settings:
    """Return *defaults*, a tree of dataclasses, with what the TOML file at *path* says.

    A table fills the dataclass of its name; what the file leaves out keeps its default.
    Raises UsageError that names file, key, value and what is allowed.
    """
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such settings file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    return _filled(defaults, document, f"{path}:")


def _filled(defaults: Any, values: Mapping[str, Any], where: str) -> Any:
    allowed = [field.name for field in fields(defaults)]
    changes = {}
    for name, value in values.items():
        if name not in allowed:
            raise UsageError(f"{where} {name} is unknown; allowed are {', '.join(allowed)}")
        changes[name] = _typed(value, getattr(defaults, name), f"{where} {name}")
    try:
        return replace(defaults, **changes)
    except ValueError as error:
        raise UsageError(f"{where} {error}") from error


def _typed(value: Any, like: Any, where: str) -> Any:
    if is_dataclass(like) and isinstance(value, dict):
        return _filled(like, value, f"{where}.")
    if isinstance(like, tuple) and isinstance(value, list):
        return tuple(_typed(entry, like[0], where) if like else entry for entry in value)
    if isinstance(like, Mapping) and isinstance(value, dict):
        return {key: _typed(entry, 0.0, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(like, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(like):
        kind = "table" if is_dataclass(like) or isinstance(like, Mapping) else type(like).__name__
        raise UsageError(f"{where} = {value!r}; a {kind} such as {like!r} is needed")
    return value
