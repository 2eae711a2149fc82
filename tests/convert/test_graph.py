"""The flatbuffer: int8 throughout, named ends, aligned weights, metadata that tools can read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from ai_edge_litert.interpreter import Interpreter
from flatbuffers import encode, packer
from flatbuffers.table import Table

from convert.graph import (
    check_int8,
    ends,
    metadata_of,
    name_ends,
    packed,
    schema,
    unpacked,
    with_metadata,
)
from convert.metadata import MINIMUM_PARSER
from convert.release import with_self_test
from edge.errors import ModelError
from edge.modelfile import LABELS, ModelFile
from tests.networks import card_of, int8_network


@pytest.mark.parametrize("kind", ["mask-classifier", "face-detector"])
def test_a_converted_network_is_int8_throughout(kind: str) -> None:
    counts = check_int8(int8_network(kind))
    assert counts["CONV_2D"] and counts["DEPTHWISE_CONV_2D"]
    assert not {"DEQUANTIZE", "CUSTOM"} & set(counts)


def changed(change: Any) -> bytes:
    model = unpacked(int8_network("mask-classifier"))
    change(model, model.subgraphs[0])
    return packed(model)


def make_float(model: Any, graph: Any) -> None:
    graph.tensors[graph.operators[1].outputs[0]].type = schema.TensorType.FLOAT32


def make_per_tensor(model: Any, graph: Any) -> None:
    quantization = graph.tensors[graph.operators[0].inputs[1]].quantization
    quantization.scale = quantization.scale[:1]


def make_custom(model: Any, graph: Any) -> None:
    model.operatorCodes[graph.operators[0].opcodeIndex].builtinCode = schema.BuiltinOperator.CUSTOM


def make_float_input(model: Any, graph: Any) -> None:
    graph.tensors[graph.inputs[0]].type = schema.TensorType.UINT8


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (make_float, "FLOAT32"),
        (make_per_tensor, "1 scales for 8"),
        (make_custom, "CUSTOM"),
        (make_float_input, "UINT8"),
    ],
)
def test_what_is_not_int8_throughout_is_refused(change: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        check_int8(changed(change))


def test_garbage_is_refused() -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        check_int8(b"\xff\xff\xff\x7fTFL3")


def test_ends_are_named_on_tensors_and_in_the_signature() -> None:
    network = int8_network("face-detector")
    name, outputs = ends(network)
    assert name == "image"
    assert dict(outputs)["box16"] == [1, 4, 6, 4]
    signature = Interpreter(model_content=network).get_signature_list()["serving_default"]
    assert signature["inputs"] == ["image"]
    assert sorted(signature["outputs"]) == sorted(name for name, _ in outputs)


@pytest.mark.parametrize("names", [("a", "b"), ()])
def test_a_wrong_number_of_names_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match="1 outputs"):
        name_ends(int8_network("mask-classifier"), names)


def test_weights_start_at_aligned_addresses() -> None:
    model = schema.Model.GetRootAs(with_metadata(int8_network("mask-classifier"), b"abc"), 0)
    buffers = [model.Buffers(i) for i in range(model.BuffersLength())]
    starts = [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]
    assert len(starts) > 5
    assert all(start % 16 == 0 for start in starts)


def test_renaming_changes_no_number() -> None:
    network = int8_network("mask-classifier")
    image = np.random.default_rng(0).integers(-128, 128, (1, 32, 32, 3)).astype(np.int8)
    assert (run(network, image) == run(with_metadata(network, b"m" * 99), image)).all()


def run(network: bytes, image: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=network)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


class Reader:
    """Follows slot numbers of metadata_schema.fbs, as a reader generated from it would."""

    def __init__(self, table: Table) -> None:
        self.table = table

    @classmethod
    def root(cls, data: bytes) -> Reader:
        return cls(Table(data, encode.Get(packer.uoffset, data, 0)))

    def _at(self, slot: int) -> int:
        offset = self.table.Offset(4 + 2 * slot)
        assert offset, f"slot {slot} is missing"
        return int(offset)

    def text(self, slot: int) -> str:
        return str(self.table.String(self.table.Pos + self._at(slot)), "utf-8")

    def child(self, slot: int) -> Reader:
        place = self.table.Indirect(self.table.Pos + self._at(slot))
        return Reader(Table(self.table.Bytes, place))

    def children(self, slot: int) -> list[Reader]:
        offset = self._at(slot)
        start, count = self.table.Vector(offset), self.table.VectorLen(offset)
        places = [self.table.Indirect(start + 4 * i) for i in range(count)]
        return [Reader(Table(self.table.Bytes, place)) for place in places]

    def byte(self, slot: int) -> int:
        return int(self.table.Bytes[self.table.Pos + self._at(slot)])

    def uint(self, slot: int) -> int:
        return int(encode.Get(packer.uint32, self.table.Bytes, self.table.Pos + self._at(slot)))

    def floats(self, slot: int) -> list[float]:
        offset = self._at(slot)
        start, count = self.table.Vector(offset), self.table.VectorLen(offset)
        return list(np.frombuffer(bytes(self.table.Bytes), "<f4", count, start))


def test_other_tools_find_normalisation_and_labels(classifier_file: ModelFile) -> None:
    data = metadata_of(classifier_file.path.read_bytes())
    assert data is not None and data[4:8] == b"M001"
    model = Reader.root(data)
    assert model.text(0) == classifier_file.card.name
    assert (model.text(2), model.text(5), model.text(7)) == ("1", "Apache-2.0", MINIMUM_PARSER)
    assert [file.text(0) for file in model.children(6)] == ["maskgate.json"]
    (graph,) = model.children(3)
    (image,) = graph.children(2)
    content = image.child(3)
    properties, (unit,) = content.child(1), image.children(4)
    assert (content.byte(0), properties.byte(0), unit.byte(0)) == (2, 1, 1)
    assert (properties.child(1).uint(0), properties.child(1).uint(1)) == (32, 32)
    assert (unit.child(1).floats(0), unit.child(1).floats(1)) == ([127.5], [127.5])
    (logits,) = graph.children(3)
    (labels,) = logits.children(6)
    assert (logits.text(0), labels.text(0), labels.byte(2)) == ("logits", "labels.txt", 2)


def test_labels_lie_uncompressed_in_the_archive(classifier_file: ModelFile) -> None:
    import zipfile

    with zipfile.ZipFile(classifier_file.path) as archive:
        assert archive.read("labels.txt").decode().split() == list(LABELS)
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}


def test_a_network_on_which_runtimes_differ_too_much_gets_no_self_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("convert.release.MOST_TOLERANCE", 1)
    with pytest.raises(ModelError, match="a gate takes in 1 at most"):
        with_self_test(int8_network("face-detector"), card_of("face-detector"), 2)


def test_a_network_that_answers_the_same_to_everything_gets_no_self_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    same = {"logits": [[3, 1, 2], [3, 1, 2]]}
    monkeypatch.setattr("convert.release.sample_outputs", lambda *_: same)
    with pytest.raises(ModelError, match="answers the same to all 2 pictures"):
        with_self_test(int8_network("mask-classifier"), card_of("mask-classifier"), 2)
    forced = with_self_test(
        int8_network("mask-classifier"), card_of("mask-classifier"), 2, force=True
    )
    assert forced.self_test.outputs == same
