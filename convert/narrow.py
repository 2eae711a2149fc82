"""Finer steps for int8 tensors, at no cost: a range shrinks to what anybody reads of it.

No weight changes: a convolution's kernel multiplies by its output's scale when it is loaded, and
saturates at the ends of the range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from convert.graph import INT8, operator_name, packed, schema, text_of, unpacked
from edge.errors import ModelError

FINEST = 2.0
"""Steps of a narrowed output are not finer than this many times.  Two correct runtimes differ by
as many more of them, and a self-test that tolerates that proves less."""

_Activation = schema.ActivationFunctionType
_CLAMPS = {
    _Activation.RELU: (0.0, math.inf),
    _Activation.RELU_N1_TO_1: (-1.0, 1.0),
    _Activation.RELU6: (0.0, 6.0),
}


def narrow_outputs(network: bytes, ranges: Mapping[str, tuple[float, float]]) -> bytes:
    """Return *network* whose int8 outputs tell finer steps apart, within *ranges* by output name.

    An output keeps what both its calibrated range and its entry, lowest and highest value,
    hold, and more of the first where steps would be finer than :data:`FINEST` allows; what lies
    beyond is said as the nearest value in it.

    Raises ModelError when an output of that name is not written by a convolution alone, or
    nothing is left of its range.
    """
    model = unpacked(network)
    graph = model.subgraphs[0]
    outputs = {text_of(graph.tensors[index].name): index for index in graph.outputs}
    for name, (lowest, highest) in ranges.items():
        index = outputs.get(name, -1)
        makers = [o for o in graph.operators if index in o.outputs]
        if not makers or any(index in o.inputs for o in graph.operators) or (
            operator_name(model, makers[0]) != "CONV_2D"
        ):
            raise ModelError(f"output {name!r} is not that of a convolution; it cannot be narrowed")
        least, most = _range(graph.tensors[index])
        low, high = max(lowest, least), min(highest, most)
        if not (low <= 0 <= high and low < high):
            raise ModelError(f"output {name!r}: nothing is left of its range, {low:g} to {high:g}")
        span = (most - least) / FINEST
        wider = max(1.0, span / (high - low))
        low, high = max(low * wider, least), min(high * wider, most)
        # Where one end met the calibrated range, the other gives way.
        low, high = min(low, max(high - span, least)), max(high, min(low + span, most))
        _set_range(graph.tensors[index], low, high)
    return packed(model)


def narrow_branches(network: bytes) -> bytes:
    """Return *network* whose residual branches tell finer steps apart.

    A branch ends in a convolution without activation, and is added to a shortcut; a clamp, as
    ReLU6, follows.  With a shortcut from *a* to *b* and a clamp from *c* to *d*, every value of
    the branch up to *c* - *b* gives *c*, and every one from *d* - *a* on gives *d*: what lies
    beyond need not be told apart.  Calibration keeps it, and spends up to three quarters of 256
    integers on it.  What the float network answers would stay the same.
    """
    model = unpacked(network)
    graph = model.subgraphs[0]
    makers = {int(index): o for o in graph.operators for index in o.outputs}
    for adding in graph.operators:
        clamp = operator_name(model, adding) == "ADD" and _CLAMPS.get(_activation(adding))
        if not clamp:
            continue
        for branch, shortcut in (adding.inputs, adding.inputs[::-1]):
            maker = makers.get(int(branch))
            readers = sum(int(branch) in o.inputs for o in graph.operators)
            if (
                maker is None or readers != 1 or branch in graph.outputs or branch == shortcut
                or operator_name(model, maker) != "CONV_2D"
                or _activation(maker) != _Activation.NONE
            ):
                continue
            lowest, highest = _range(graph.tensors[shortcut])
            least, most = _range(graph.tensors[branch])
            low, high = max(clamp[0] - highest, least), min(clamp[1] - lowest, most)
            if low < high:
                _set_range(graph.tensors[branch], low, high)
    return packed(model)


def _activation(operator: Any) -> int:
    return int(operator.builtinOptions.fusedActivationFunction)


def _range(tensor: Any) -> tuple[float, float]:
    scale, zero = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
    return (INT8.min - zero) * scale, (INT8.max - zero) * scale


def _set_range(tensor: Any, low: float, high: float) -> None:
    step = (high - low) / (INT8.max - INT8.min)
    tensor.quantization.scale = np.array([step], np.float32)
    tensor.quantization.zeroPoint = np.array([round(INT8.min - low / step)], np.int64)
