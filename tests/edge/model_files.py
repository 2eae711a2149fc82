"""Model files for tests, made of the released ones: other cards, other networks, broken ones."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from edge.errors import OutputError
from edge.modelfile import CARD_NAME, LABELS_NAME, Kind, ModelFile, parts_of, read_model
from edge.modelstore.arrival import Inbox
from edge.modelstore.feed import ModelFeed
from edge.modelstore.flatbuffer import Reader, read_graph
from edge.modelstore.loading import Loaders
from edge.modelstore.settings import UpdateSettings
from edge.modelstore.state import KINDS, Change, State
from edge.modelstore.store import Copy, Store
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector

MODELS = Path(__file__).resolve().parents[2] / "models"
DETECTOR: Kind = "face-detector"
CLASSIFIER: Kind = "mask-classifier"
LOADERS = Loaders(lambda model: FaceDetector(model, 1), lambda model: MaskClassifier(model, 1))


class FullDisk(Store):
    """A store that takes no file in, and is not written to, while it is *full*."""

    full = False

    def update(self, change: Change, name: str = "state") -> State:
        if self.full:
            raise OutputError("cannot write the state of the models: No space left on device")
        return super().update(change, name)

    @contextmanager
    def taken_in(self, source: Path, shown: str) -> Iterator[Copy]:
        if self.full:
            raise OutputError(f"cannot take in {shown}: No space left on device")
        with super().taken_in(source, shown) as copy:
            yield copy


@cache
def released() -> dict[Kind, ModelFile]:
    """Return the released models."""
    return {kind: read_model(MODELS / f"{kind}.int8.tflite", kind) for kind in KINDS}


def released_version(kind: Kind = DETECTOR) -> int:
    """Return the version of the released model of *kind*."""
    return released()[kind].card.version


@cache
def original(kind: Kind) -> bytes:
    return released()[kind].path.read_bytes()


def parts(kind: Kind) -> tuple[bytes, dict[str, Any], str]:
    """Return the flatbuffer, the card and the labels of the released model of *kind*."""
    texts, network = parts_of(original(kind), Path("released"))
    return network, json.loads(texts[CARD_NAME]), texts[LABELS_NAME]


def built(network: bytes, card: dict[str, Any] | str, labels: str | None) -> bytes:
    """Return a model file of these parts, as convert/ puts them together."""
    content = io.BytesIO(network)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_STORED) as archive:
        if labels is not None:
            archive.writestr(LABELS_NAME, labels)
        archive.writestr(CARD_NAME, card if isinstance(card, str) else json.dumps(card))
    return content.getvalue()


def make(
    kind: Kind = DETECTOR,
    version: int = 100,
    change: Callable[[dict[str, Any]], None] = lambda card: None,
    network: Callable[[bytes], bytes] = lambda network: network,
) -> bytes:
    """Return a valid model file of *version*, after *change* of its card and of its *network*.

    The digest in the card is that of the network as it then is.
    """
    body, card, labels = parts(kind)
    body = network(body)
    card["version"] = version
    card["network_sha256"] = hashlib.sha256(body).hexdigest()
    change(card)
    return built(body, card, labels)


def feed_of(
    root: Path, settings: UpdateSettings | None = None, *, store: Store | None = None
) -> ModelFeed:
    """Return a feed on the folder *root* without a thread: the test calls work()."""
    settings = settings or UpdateSettings(folder=str(root))
    store = store or Store(root, today=lambda: "2024-01-31T10:30:00+00:00")
    inbox = Inbox(root / "incoming", settings.settle_seconds)
    return ModelFeed(store, inbox, settings, released(), LOADERS, threaded=False)


def settings_of(root: Path, **changes: Any) -> UpdateSettings:
    return dataclasses.replace(UpdateSettings(folder=str(root)), **changes)


def copied_in(root: Path, content: bytes, name: str = "new.tflite") -> Path:
    """Copy a file into the watched folder and return its path."""
    path = root / "incoming" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def stored_names(root: Path) -> list[str]:
    """Return the names of all files below *root* that an installation may leave behind."""
    return sorted(
        str(path.relative_to(root)) for path in root.rglob("*")
        if path.is_file() and path.name not in ("lock", "running", "status.json")
        and path.parent.name != "incoming"
    )


def float_typed(network: bytes) -> bytes:
    """Return *network* with every int8 tensor said to be float32."""
    return with_tensors(network, lambda kind: 0 if kind == 9 else kind)


def with_tensors(network: bytes, change: Callable[[int], int]) -> bytes:
    """Return *network* with the type number of every tensor passed through *change*."""
    content = bytearray(network)
    for place in tensor_fields(network, 1):
        content[place] = change(content[place])
    return bytes(content)


def tensor_fields(network: bytes, slot: int) -> list[int]:
    """Return where the field *slot* of every tensor lies in *network*."""
    return fields_of(network, "tensors", slot)


def fields_of(network: bytes, what: str, slot: int) -> list[int]:
    """Return where the field *slot* lies in every table of *what* there is in *network*."""
    read = Reader(network)
    model = read.follow(0)
    graph = read.tables(model, 2, "subgraphs")[0]
    tables = {
        "model": [model],
        "graph": [graph],
        "tensors": read.tables(graph, 0, "tensors"),
        "operators": read.tables(graph, 3, "operators"),
        "codes": read.tables(model, 1, "operator codes"),
        "buffers": read.tables(model, 4, "buffers"),
    }[what]
    return [place for table in tables if (place := read.field(table, slot))]


def crashing(network: bytes) -> bytes:
    """Return *network* with a scale of nearly nothing where its first ADD ends.

    LiteRT 2.3 aborts the process for it; found by scripts/fuzz_models.
    """
    content = bytearray(network)
    graph, read = read_graph(network, "released"), Reader(network)
    tensor = next(op for op in graph.operators if op.code == 0).outputs[0]
    tables = read.tables(read.tables(read.follow(0), 2, "subgraphs")[0], 0, "tensors")
    scales, _ = read.span(read.follow(read.field(tables[tensor], 4)), 2, 4)
    content[scales : scales + 4] = (2).to_bytes(4, "little")
    return bytes(content)
