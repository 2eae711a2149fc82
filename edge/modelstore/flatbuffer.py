"""A careful reader of the few tables of a TensorFlow Lite flatbuffer that a check needs.

Everything is looked up within bounds, in plain Python, so that a crafted file ends in a
:class:`ModelError` and not in a crash; an interpreter is let near it only afterwards.  Table
slots and enum values are those of the public ``schema.fbs``, version 3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge.errors import ModelError

SCHEMA_VERSION = 3
TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16",
         9: "int8"}
# The networks here have about 70 operators and 200 tensors; ten times that is no network of ours.
_MOST = {"operators": 4000, "tensors": 8000, "buffers": 8000, "operator codes": 200}
_LONGEST_NAME = 1024


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor: its *shape*, its *type* in words, and the place of its *buffer*."""

    name: str
    shape: tuple[int, ...]
    type: str
    buffer: int


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator: its builtin *code*, and the tensors it reads and writes; -1 is none."""

    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """The one subgraph of a network, with every index checked.

    *sizes* are the lengths in bytes of the buffers that tensors point into.
    """

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    sizes: tuple[int, ...]


def read_graph(network: bytes, name: str) -> Graph:
    """Return the graph of the flatbuffer *network*; *name* stands for the file in messages.

    Raises ModelError when an offset, a length or an index points outside, there is not exactly
    one subgraph, a schema version or size is not one that networks here have, or weights lie
    outside the flatbuffer.
    """
    try:
        return _graph(Reader(network))
    except _Refused as reason:
        raise ModelError(f"{name}: {reason}; convert it again") from None
    except (struct.error, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            f"{name} is damaged: its flatbuffer points outside itself; copy the file again"
        ) from error


class _Refused(Exception):
    """What is wrong, in words that follow the file's name."""


class Reader:
    """Looks things up in *data* by tables and slots, never outside of it.

    Every method raises struct.error for what would lie outside.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data

    def number(self, form: str, at: int) -> int:
        """Return the number at *at*; *form* is one of the struct module."""
        # A negative offset would count from the end.
        if at < 0:
            raise struct.error("negative offset")
        return int(struct.unpack_from(form, self.data, at)[0])

    def follow(self, at: int) -> int:
        """Return where the offset at *at* points."""
        return at + self.number("<I", at)

    def field(self, table: int, slot: int) -> int:
        """Return where the field *slot* of *table* lies, 0 where it has its default."""
        vtable = table - self.number("<i", table)
        if 4 + 2 * slot + 2 > self.number("<H", vtable):
            return 0
        offset = self.number("<H", vtable + 4 + 2 * slot)
        return table + offset if offset else 0

    def value(self, table: int, slot: int, form: str, default: int = 0) -> int:
        """Return the number in the field *slot* of *table*."""
        at = self.field(table, slot)
        return self.number(form, at) if at else default

    def span(self, table: int, slot: int, width: int) -> tuple[int, int]:
        """Return where a vector's items of *width* bytes begin, and how many there are."""
        at = self.field(table, slot)
        if not at:
            return 0, 0
        start = self.follow(at)
        count = self.number("<I", start)
        if start + 4 + count * width > len(self.data):
            raise struct.error("vector reaches outside")
        return start + 4, count

    def integers(self, table: int, slot: int, most: int) -> tuple[int, ...]:
        """Return the vector of 32-bit integers in a field, *most* of them at most."""
        start, count = self.span(table, slot, 4)
        if count > most:
            raise _Refused(f"its network has a list of {count} numbers; at most {most} are read")
        return struct.unpack_from(f"<{count}i", self.data, start) if count else ()

    def tables(self, table: int, slot: int, what: str) -> list[int]:
        """Return where the tables are that a field lists; *what* they are decides how many."""
        start, count = self.span(table, slot, 4)
        if count > _MOST.get(what, count):
            raise _Refused(f"its network has {count} {what}; at most {_MOST[what]} are read")
        return [self.follow(start + 4 * place) for place in range(count)]

    def text(self, table: int, slot: int) -> str:
        """Return the text in a field, a very long one cut."""
        start, count = self.span(table, slot, 1)
        return self.data[start : start + min(count, _LONGEST_NAME)].decode("utf-8", "replace")


def _graph(read: Reader) -> Graph:
    model = read.follow(0)
    version = read.value(model, 0, "<I")
    if version != SCHEMA_VERSION:
        raise _Refused(f"its flatbuffer has schema version {version}; 3 is needed")
    graphs = read.tables(model, 2, "subgraphs") if read.span(model, 2, 4)[1] == 1 else []
    if not graphs:
        raise _Refused(f"its network has {read.span(model, 2, 4)[1]} subgraphs; 1 is needed")
    codes = [_code(read, at) for at in read.tables(model, 1, "operator codes")]
    sizes = tuple(_size(read, at) for at in read.tables(model, 4, "buffers"))
    tensors = tuple(_tensor(read, at) for at in read.tables(graphs[0], 0, "tensors"))
    operators = tuple(
        _operator(read, at, codes) for at in read.tables(graphs[0], 3, "operators")
    )
    graph = Graph(
        tensors,
        operators,
        read.integers(graphs[0], 1, len(tensors)),
        read.integers(graphs[0], 2, len(tensors)),
        sizes,
    )
    used = [index for op in operators for index in (*op.inputs, *op.outputs) if index != -1]
    for index in (*used, *graph.inputs, *graph.outputs):
        if not 0 <= index < len(tensors):
            raise _Refused(f"its network uses tensor {index} of {len(tensors)}")
    for tensor in tensors:
        if not tensor.buffer < max(1, len(sizes)):
            raise _Refused(f"its tensor {tensor.name!r} has buffer {tensor.buffer} of {len(sizes)}")
    return graph


def _code(read: Reader, at: int) -> int:
    # The first field is a byte, from when there were fewer than 128 operators; since then it is
    # a copy of the second, or 127 where that does not fit.  Interpreters take the larger one.
    old, new = read.value(at, 0, "<b"), read.value(at, 3, "<i")
    if not 0 <= old <= 127 or (new not in (0, old) and not (old == 127 <= new)):
        raise _Refused(f"an operator has two codes, {old} and {new}")
    return max(old, new)


def _size(read: Reader, at: int) -> int:
    if read.value(at, 1, "<Q") > 1 or read.value(at, 2, "<Q") > 1:
        raise _Refused("its weights lie outside its flatbuffer")
    return read.span(at, 0, 1)[1]


def _tensor(read: Reader, at: int) -> Tensor:
    kind = read.value(at, 1, "<b")
    return Tensor(
        read.text(at, 3),
        read.integers(at, 0, 8),
        TYPES.get(kind, f"type {kind}"),
        read.value(at, 2, "<I"),
    )


def _operator(read: Reader, at: int, codes: list[int]) -> Operator:
    place = read.value(at, 0, "<I")
    if place >= len(codes):
        raise _Refused(f"an operator has code {place} of {len(codes)}")
    return Operator(codes[place], read.integers(at, 1, 1000), read.integers(at, 2, 1000))
