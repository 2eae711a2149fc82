"""The flatbuffer of a network: prove that it is int8 throughout, name its ends, add metadata.

Uses the schema that LiteRT publishes with its wheel, so nothing here needs TensorFlow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge.errors import ModelError

INT8 = np.iinfo(np.int8)
FINEST = 2.0
"""Steps of a narrowed output are not finer than this many times.  Two correct runtimes differ by
as many more of them, and a self-test that tolerates that proves less."""
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
    model = _unpack(network)
    if len(model.subgraphs) != 1:
        raise ModelError(f"the network has {len(model.subgraphs)} subgraphs; 1 is needed")
    graph = model.subgraphs[0]
    counts: Counter[str] = Counter()
    for place, operator in enumerate(graph.operators):
        name = _OPERATORS[model.operatorCodes[operator.opcodeIndex].builtinCode]
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
                    f"operator {place} ({name}) uses tensor {_text(tensor.name)!r} of type {kind}; "
                    "a fully int8 network has int8 and int32 only"
                )
        if name in _PER_CHANNEL_AXIS:
            _check_per_channel(graph.tensors[operator.inputs[1]], _PER_CHANNEL_AXIS[name], name)
    for index in (*graph.inputs, *graph.outputs):
        if _TYPES[graph.tensors[index].type] != "INT8":
            raise ModelError(
                f"tensor {_text(graph.tensors[index].name)!r} at the network's end is "
                f"{_TYPES[graph.tensors[index].type]}; int8 is needed"
            )
    return counts


def name_ends(network: bytes, outputs: Sequence[str]) -> bytes:
    """Return *network* with its input called ``image`` and its outputs called *outputs*.

    The names stand on the tensors, where every interpreter reports them, and in a signature
    ``serving_default`` for tools that look there.  Raises ModelError when the number of
    outputs is another, or a name is given twice.
    """
    model = _unpack(network)
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
    return _pack(model)


def narrow_outputs(network: bytes, ranges: Mapping[str, tuple[float, float]]) -> bytes:
    """Return *network* whose int8 outputs tell finer steps apart, within *ranges* by output name.

    An output keeps what both its calibrated range and its entry, lowest and highest value,
    hold, and more of the first where steps would be finer than :data:`FINEST` allows; what lies
    beyond is said as the nearest value in it.  No weight changes: a convolution's kernel
    multiplies by the output's scale when it is loaded, and saturates.

    Raises ModelError when an output of that name is not written by a convolution alone, or
    nothing is left of its range.
    """
    model = _unpack(network)
    graph = model.subgraphs[0]
    outputs = {_text(graph.tensors[index].name): index for index in graph.outputs}
    for name, (lowest, highest) in ranges.items():
        index = outputs.get(name, -1)
        makers = [o for o in graph.operators if index in o.outputs]
        if not makers or any(index in o.inputs for o in graph.operators) or (
            _OPERATORS[model.operatorCodes[makers[0].opcodeIndex].builtinCode] != "CONV_2D"
        ):
            raise ModelError(f"output {name!r} is not that of a convolution; it cannot be narrowed")
        quantization = graph.tensors[index].quantization
        scale, zero = float(quantization.scale[0]), int(quantization.zeroPoint[0])
        least, most = (INT8.min - zero) * scale, (INT8.max - zero) * scale
        low, high = max(lowest, least), min(highest, most)
        if not (low <= 0 <= high and low < high):
            raise ModelError(f"output {name!r}: nothing is left of its range, {low:g} to {high:g}")
        span = (most - least) / FINEST
        wider = max(1.0, span / (high - low))
        low, high = max(low * wider, least), min(high * wider, most)
        # Where one end met the calibrated range, the other gives way.
        low, high = min(low, max(high - span, least)), max(high, min(low + span, most))
        step = (high - low) / (INT8.max - INT8.min)
        quantization.scale = np.array([step], np.float32)
        quantization.zeroPoint = np.array([round(INT8.min - low / step)], np.int64)
    return _pack(model)


def ends(network: bytes) -> tuple[str, list[tuple[str, list[int]]]]:
    """Return the input's name, and name and shape of every output, of *network*."""
    graph = _unpack(network).subgraphs[0]
    outputs = [graph.tensors[index] for index in graph.outputs]
    return _text(graph.tensors[graph.inputs[0]].name), [
        (_text(tensor.name), [int(size) for size in tensor.shape]) for tensor in outputs
    ]


def with_metadata(network: bytes, metadata: bytes) -> bytes:
    """Return *network* with *metadata* as its ``TFLITE_METADATA`` buffer, replacing an old one."""
    model = _unpack(network)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(metadata, np.uint8)
    entries = [
        entry for entry in model.metadata or [] if _text(entry.name) != METADATA_NAME
    ]
    entry = schema.MetadataT()
    entry.name = METADATA_NAME
    entry.buffer = len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*entries, entry]
    return _pack(model)


def metadata_of(network: bytes) -> bytes | None:
    """Return the ``TFLITE_METADATA`` buffer of *network*, or None when there is none."""
    model = _unpack(network)
    for entry in model.metadata or []:
        if _text(entry.name) == METADATA_NAME:
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


def _unpack(network: bytes) -> Any:
    try:
        return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(network, 0))
    except Exception as error:  # Crafted bytes give struct.error, IndexError, TypeError, ...
        raise ModelError(f"the network's flatbuffer cannot be read: {error}") from error


def _pack(model: Any) -> bytes:
    builder = _AlignedBuilder(1 << 20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _check_per_channel(weights: Any, axis: int, operator: str) -> None:
    scales = len(weights.quantization.scale)
    channels = int(weights.shape[axis])
    if scales != channels:
        raise ModelError(
            f"{operator} weights {_text(weights.name)!r} have {scales} scales for {channels} "
            "channels; per-channel quantisation is needed"
        )


def _tensor_map(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, int(index)
    return entry


def _text(value: bytes | str | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
