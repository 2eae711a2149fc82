"""Mutated model files, by seed: bytes, flatbuffer fields, the archive, and the card's JSON."""

from __future__ import annotations

import copy
import hashlib
import json
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from edge.modelfile import Kind
from edge.modelstore.flatbuffer import Reader
from tests.edge.model_files import CLASSIFIER, DETECTOR, built, fields_of, make, parts

NUMBERS = (0, 1, 2, 3, 7, 127, 128, 255, 256, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 100, 2**31, 2**63, -(2**63), 10**400, 0.0, 0.5, -0.5, 1e308,
    float("nan"), float("inf"), "", "x", "with_mask", "../../etc/passwd", "\x00\n\x1b[2J",
    "9" * 200,
    [], {}, [[]], [1], ["face"], {"a": 1}, [None] * 50,
)
# The fields that are mutated, by table: name of the table, slot, and how the field is packed.
FIELDS = (
    ("model", 0, "number"), ("model", 1, "vector"), ("model", 2, "vector"), ("model", 4, "vector"),
    ("graph", 0, "vector"), ("graph", 1, "vector"), ("graph", 2, "vector"), ("graph", 3, "vector"),
    ("tensors", 0, "vector"), ("tensors", 1, "byte"), ("tensors", 2, "number"),
    ("tensors", 3, "vector"), ("tensors", 4, "number"), ("operators", 0, "number"),
    ("operators", 1, "vector"), ("operators", 2, "vector"), ("operators", 3, "byte"),
    ("operators", 4, "number"), ("codes", 0, "byte"), ("codes", 2, "number"),
    ("codes", 3, "number"), ("buffers", 0, "vector"),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutated model file: which *kind* it was, *how* it was mutated, and its *content*."""

    kind: Kind
    how: str
    content: bytes


def mutants(seed: int, count: int) -> Iterator[Mutant]:
    """Yield *count* mutants that depend on *seed* only, all ways in turn."""
    rng = random.Random(seed)
    ways = tuple(WAYS.items())
    for number in range(count):
        # The classifier is seven times the size; the ways to break it are the same.
        kind = CLASSIFIER if number % 8 == 7 else DETECTOR
        how, way = ways[number // 8 % len(ways)]
        yield Mutant(kind, how, way(rng, kind))


def _bytes(rng: random.Random, kind: Kind) -> bytes:
    return _damaged(rng, make(kind))


def _network_bytes(rng: random.Random, kind: Kind) -> bytes:
    """The network's bytes are damaged, and the card says that they are to be so."""
    return make(kind, network=lambda network: _damaged(rng, network))


def _fields(rng: random.Random, kind: Kind) -> bytes:
    """Fields of the flatbuffer hold other numbers, and the card says that it is to be so."""
    return make(kind, network=lambda network: _with_fields(rng, network))


def _with_fields(rng: random.Random, network: bytes) -> bytes:
    content = bytearray(network)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        table, slot, form = rng.choice(FIELDS)
        places = fields_of(network, table, slot)
        if not places:
            continue
        place = rng.choice(places)
        if form == "byte":
            content[place] = rng.choice(NUMBERS) & 255
            continue
        if form == "vector" and rng.random() < 0.7:
            # The length of the vector, or one of its items.
            place += struct.unpack_from("<I", network, place)[0] + 4 * rng.choice((0, 1, 2, 3))
        if place + 4 <= len(content):
            number = rng.choice((*NUMBERS, rng.getrandbits(32), len(network), len(network) - 4))
            struct.pack_into("<I", content, place, number & 0xFFFFFFFF)
    return bytes(content)


def _archive(rng: random.Random, kind: Kind) -> bytes:
    content = bytearray(make(kind))
    start = content.rfind(b"PK\x05\x06")
    directory = content.rfind(b"PK\x01\x02", 0, start)
    local = content.rfind(b"PK\x03\x04", 0, directory)
    for _ in range(rng.choice((1, 1, 2, 3))):
        head, size = rng.choice(((start, 22), (directory, 46), (local, 30)))
        width, form = rng.choice(((2, "<H"), (4, "<I")))
        place = min(head + rng.randrange(4, size), len(content) - width)
        struct.pack_into(form, content, place, rng.choice(NUMBERS) & (256**width - 1))
    return bytes(content)


def _card(rng: random.Random, kind: Kind) -> bytes:
    network, card, labels = parts(kind)
    card["version"] = 100
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        _change(rng, card)
    return built(network, json.dumps(card), labels)


def _change(rng: random.Random, tree: Any) -> None:
    """Change one value somewhere in *tree*, or take it away."""
    key = rng.choice(list(tree) if isinstance(tree, dict) else range(len(tree)))
    inner = tree[key]
    if isinstance(inner, (dict, list)) and inner and rng.random() < 0.6:
        _change(rng, inner)
    elif rng.random() < 0.2:
        del tree[key]
    else:
        tree[key] = copy.deepcopy(rng.choice(VALUES))


def _card_text(rng: random.Random, kind: Kind) -> bytes:
    network, card, labels = parts(kind)
    card["version"] = 100
    text = _damaged(rng, json.dumps(card).encode()).decode("utf-8", "replace")
    return built(network, text, rng.choice((labels, "", "face\nface\n", None)))


def _mixed(rng: random.Random, kind: Kind) -> bytes:
    """The parts of both kinds in one file."""
    network, card, labels = parts(kind)
    theirs, their_card, their_labels = parts(CLASSIFIER if kind == DETECTOR else DETECTOR)
    card["version"] = 100
    for choice in rng.sample(range(6), rng.choice((1, 2, 3))):
        if choice == 0:
            network = theirs
        elif choice == 1:
            network, card["network_sha256"] = theirs, hashlib.sha256(theirs).hexdigest()
        elif choice == 5:
            labels = their_labels
        else:
            for name in (("self_test",), ("kind", "labels"), ("input",))[choice - 2]:
                card[name] = their_card[name]
    return built(network, card, labels)


def _options(rng: random.Random, kind: Kind) -> bytes:
    """Strides, paddings, axes, scales and zero points are others; the card agrees."""
    return make(kind, network=lambda network: _with_options(rng, network))


def _with_options(rng: random.Random, network: bytes) -> bytes:
    content = bytearray(network)
    read = Reader(network)
    table, slot = rng.choice((("operators", 4), ("tensors", 4)))
    for _ in range(rng.choice((1, 1, 2, 4))):
        inner = read.follow(rng.choice(fields_of(network, table, slot)))
        places = [place for number in range(8) if (place := read.field(inner, number))]
        if not places:
            continue
        place = rng.choice(places)
        if table == "tensors" and rng.random() < 0.8:
            # An item of the vector of scales or of zero points.
            place = min(read.follow(place) + 4 * rng.choice((0, 1, 2)), len(content) - 4)
        width, form = rng.choice(((1, "<B"), (4, "<I")))
        if place + width <= len(content):
            struct.pack_into(form, content, place, rng.choice(NUMBERS) & (256**width - 1))
    return bytes(content)


def _damaged(rng: random.Random, content: bytes) -> bytes:
    data = bytearray(content)
    size = len(data)
    place, length = rng.randrange(size), rng.choice((1, 2, 4, 16, 256, 4096))
    # Half of all damage is near the ends, where the structure is.
    if rng.random() < 0.5:
        near = rng.randrange(min(size, 4096))
        place = rng.choice((near, size - 1 - near))
    choice = rng.randrange(7)
    if choice == 0:
        for _ in range(rng.choice((1, 2, 8, 64))):
            data[rng.randrange(size)] ^= 1 << rng.randrange(8)
    elif choice == 1:
        data[place] ^= rng.randrange(1, 256)
    elif choice == 2:
        del data[place:]
    elif choice == 3:
        data[place : place + length] = rng.randbytes(length)
    elif choice == 4:
        data[place : place + length] = bytes(length)
    elif choice == 5:
        del data[place : place + length]
    else:
        data[place:place] = rng.randbytes(length)
    return bytes(data)


WAYS: dict[str, Callable[[random.Random, Kind], bytes]] = {
    "bytes": _bytes,
    "network bytes": _network_bytes,
    "flatbuffer fields": _fields,
    "operator options": _options,
    "archive": _archive,
    "card": _card,
    "card text": _card_text,
    "mixed parts": _mixed,
}
