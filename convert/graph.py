"""The flatbuffer of a network: prove that it is int8 throughout, name its ends, add metadata.

Uses the schema that LiteRT publishes with its wheel, so nothing here needs TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ModelError

INT8 = np.iinfo(np.int8)
INPUT_NAME = "image"
SIGNATURE = "serving_default"
METADATA_NAME = "TFLITE_METADATA"
# Buffer.data carries force_align: 16 in TensorFlow's schema.fbs; the generated Python code
# does not honour it, and kernels on some boards read weights with aligned loads.
BUFFER_ALIGNMENT = 16

_OPERATORS = {
    value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)
}
_TYPES = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
# INT32 is the type of biases and of shape constants; it is never a picture's or a feature's.
_INTEGER_TYPES = {"INT8", "INT32"}
_PER_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3}


def check_int8(network: bytes) -> Counter[str]:
    """Return how often each operator stands in *network*, having proved it int8 throughout.

    Every tensor that an operator reads or writes is int8 (or int32: biases, shapes), every
    convolution's weights have one scale per output channel, and no operator is custom or
    converts from or to float.  Raises ModelError that names the first operator and tensor
    for which this is not so.
    """
    model = unpacked(network)
    if len(model.subgraphs) != 1:
        raise ModelError(f"the network has {len(model.subgraphs)} subgraphs; 1 is needed")
    graph = model.subgraphs[0]
    counts: Counter[str] = Counter()
    for place, operator in enumerate(graph.operators):
        name = operator_name(model, operator)
        counts[name] += 1
        if name in ("CUSTOM", "DEQUANTIZE"):
            raise ModelError(f"operator {place} is {name}; a fully int8 network has none")
        for index in (*operator.inputs, *operator.outputs):
            if index < 0:
                continue
            tensor = graph.tensors[index]
            kind = _TYPES[tensor.type]
            if kind not in _INTEGER_TYPES:
                raise ModelError(
                    f"operator {place} ({name}) uses tensor {text_of(tensor.name)!r} of type "
                    f"{kind}; a fully int8 network has int8 and int32 only"
                )
        if name in _PER_CHANNEL_AXIS:
            _check_per_channel(graph.tensors[operator.inputs[1]], _PER_CHANNEL_AXIS[name], name)
    for index in (*graph.inputs, *graph.outputs):
        if _TYPES[graph.tensors[index].type] != "INT8":
            raise ModelError(
                f"tensor {text_of(graph.tensors[index].name)!r} at the network's end is "
                f"{_TYPES[graph.tensors[index].type]}; int8 is needed"
            )
    return counts


def name_ends(network: bytes, outputs: Sequence[str]) -> bytes:
    """Return *network* with its input called ``image`` and its outputs called *outputs*.

    The names stand on the tensors, where every interpreter reports them, and in a signature
    ``serving_default`` for tools that look there.  Raises ModelError when the number of
    outputs is another, or a name is given twice.
    """
    model = unpacked(network)
    graph = model.subgraphs[0]
    if len(graph.outputs) != len(outputs) or len(set(outputs)) != len(outputs):
        raise ModelError(
            f"the network has {len(graph.outputs)} outputs; the names given are {list(outputs)}"
        )
    ends = [(INPUT_NAME, graph.inputs[0]), *zip(outputs, graph.outputs, strict=True)]
    for name, index in ends:
        graph.tensors[index].name = name
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE
    signature.subgraphIndex = 0
    signature.inputs = [_tensor_map(*ends[0])]
    signature.outputs = [_tensor_map(*end) for end in ends[1:]]
    model.signatureDefs = [signature]
    return packed(model)


def ends(network: bytes) -> tuple[str, list[tuple[str, list[int]]]]:
    """Return the input's name, and name and shape of every output, of *network*."""
    graph = unpacked(network).subgraphs[0]
    outputs = [graph.tensors[index] for index in graph.outputs]
    return text_of(graph.tensors[graph.inputs[0]].name), [
        (text_of(tensor.name), [int(size) for size in tensor.shape]) for tensor in outputs
    ]


def with_metadata(network: bytes, metadata: bytes) -> bytes:
    """Return *network* with *metadata* as its ``TFLITE_METADATA`` buffer, replacing an old one."""
    model = unpacked(network)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(metadata, np.uint8)
    entries = [
        entry for entry in model.metadata or [] if text_of(entry.name) != METADATA_NAME
    ]
    entry = schema.MetadataT()
    entry.name = METADATA_NAME
    entry.buffer = len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*entries, entry]
    return packed(model)


def metadata_of(network: bytes) -> bytes | None:
    """Return the ``TFLITE_METADATA`` buffer of *network*, or None when there is none."""
    model = unpacked(network)
    for entry in model.metadata or []:
        if text_of(entry.name) == METADATA_NAME:
            return bytes(model.buffers[entry.buffer].data)
    return None


class _AlignedBuilder(flatbuffers.Builder):  # type: ignore[misc]
    """A builder whose byte vectors start at multiples of :data:`BUFFER_ALIGNMENT`."""

    def CreateNumpyVector(self, x: Any) -> int:
        if x.dtype != np.uint8:
            return int(super().CreateNumpyVector(x))
        self.StartVector(1, x.size, BUFFER_ALIGNMENT)
        self.head = self.Head() - x.size
        self.Bytes[self.Head() : self.Head() + x.size] = x.tobytes()
        self.vectorNumElems = x.size
        return int(self.EndVector())


def unpacked(network: bytes) -> Any:
    """Return *network* as the schema's objects.  Raises ModelError when it is no flatbuffer."""
    try:
        return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(network, 0))
    except Exception as error:  # Crafted bytes give struct.error, IndexError, TypeError, ...
        raise ModelError(f"the network's flatbuffer cannot be read: {error}") from error


def packed(model: Any) -> bytes:
    """Return the flatbuffer of the schema's objects in *model*."""
    builder = _AlignedBuilder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _check_per_channel(weights: Any, axis: int, operator: str) -> None:
    scales = len(weights.quantization.scale)
    channels = int(weights.shape[axis])
    if scales != channels:
        raise ModelError(
            f"{operator} weights {text_of(weights.name)!r} have {scales} scales for {channels} "
            "channels; per-channel quantisation is needed"
        )


def _tensor_map(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, int(index)
    return entry


def operator_name(model: Any, operator: Any) -> str:
    """Return what the schema calls *operator* of *model*, as ``CONV_2D``."""
    return _OPERATORS[model.operatorCodes[operator.opcodeIndex].builtinCode]


def text_of(value: bytes | str | None) -> str:
    """Return a name in the flatbuffer as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
