"""What a model file must be before an interpreter may see it: whole, int8, of known operators."""

from __future__ import annotations

from edge.cardfields import printable
from edge.errors import ModelError
from edge.modelfile import LABELS_NAME, ModelFile, parts_of
from edge.modelstore.flatbuffer import Graph, read_graph
from edge.vision.selftest import MOST_TOLERANCE

# Builtin operators that an int8 network for pictures may be made of, by their numbers in the
# public schema.fbs.  None of them keeps state, branches, reads a file or hands over to other code.
KNOWN_OPERATORS = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D",
    5: "DEPTH_TO_SPACE", 9: "FULLY_CONNECTED", 14: "LOGISTIC", 17: "MAX_POOL_2D", 18: "MUL",
    19: "RELU", 21: "RELU6", 22: "RESHAPE", 23: "RESIZE_BILINEAR", 25: "SOFTMAX",
    26: "SPACE_TO_DEPTH", 28: "TANH", 34: "PAD", 39: "TRANSPOSE", 40: "MEAN", 41: "SUB",
    43: "SQUEEZE", 45: "STRIDED_SLICE", 49: "SPLIT", 54: "PRELU", 55: "MAXIMUM", 57: "MINIMUM",
    60: "PADV2", 65: "SLICE", 67: "TRANSPOSE_CONV", 70: "EXPAND_DIMS", 74: "SUM", 77: "SHAPE",
    82: "REDUCE_MAX", 83: "PACK", 97: "RESIZE_NEAREST_NEIGHBOR", 98: "LEAKY_RELU",
    114: "QUANTIZE", 117: "HARD_SWISH",
}
_REFUSED = {6: "DEQUANTIZE", 32: "CUSTOM"}
_TYPES = ("int8", "int32")
# What calibration ever gave lies well inside; a temperature of 1000 would make every look
# worthless, and a gate that judges nobody is broken without a sound.
_SANE = {"temperature": (0.1, 10.0), "score_threshold": (0.05, 0.95), "nms_iou": (0.1, 0.95)}
_SANE_PRIOR = (0.001, 1.0)
# The released detector has 110,592 input pixels; a tensor of so many values has no place there.
_LARGEST_TENSOR = 64 * 1024 * 1024


def check_card(data: bytes, model: ModelFile) -> None:
    """Raise ModelError unless *model*, read from *data*, proves what it says of itself.

    A card that names no digest or no real self-test is good enough for a file that somebody
    names by hand, but not for one that a gate takes in by itself.
    """
    card, name = model.card, model.path
    if not card.network_sha256:
        raise ModelError(f"{name}: its card has no digest of the network; convert it again")
    test = card.self_test
    if test is None:
        raise ModelError(f"{name} has no self-test in its card; convert it again")
    if test.tolerance > MOST_TOLERANCE:
        raise ModelError(
            f"{name}: its self-test tolerates {test.tolerance:g} steps and so proves nothing; at "
            f"most {MOST_TOLERANCE} are allowed; convert it again"
        )
    for key, value in card.decision.items():
        low, high = _SANE_PRIOR if key.startswith("prior_") else _SANE.get(key, (value, value))
        if not low <= value <= high:
            raise ModelError(
                f"{name}: its card says decision.{printable(key, 80)} = {value:g}; a gate takes "
                f"{low:g} to {high:g}; calibrate it again"
            )
    listed = tuple(parts_of(data, name)[0].get(LABELS_NAME, "").split())
    if listed != card.labels:
        raise ModelError(
            f"{name}: its {LABELS_NAME} says {list(listed[:5])}, its card {list(card.labels)}; "
            "convert it again"
        )


def check_network(network: bytes, model: ModelFile) -> Graph:
    """Return the graph of *network*, having proved that it is one for the card of *model*.

    int8 from end to end, one picture of the card's size in, builtin operators of
    :data:`KNOWN_OPERATORS` only.  Raises ModelError that names what is not so.
    """
    name = str(model.path)
    graph = read_graph(network, name)
    for place, operator in enumerate(graph.operators):
        if operator.code not in KNOWN_OPERATORS:
            word = _REFUSED.get(operator.code, f"number {operator.code}")
            raise ModelError(
                f"{name}: its operator {place} is {word}, which no int8 network here has; convert "
                "it with `python -m convert`"
            )
        for index in (*operator.inputs, *operator.outputs):
            if index != -1 and graph.tensors[index].type not in _TYPES:
                tensor = graph.tensors[index]
                raise ModelError(
                    f"{name} is not an int8 network: its tensor {tensor.name!r} is {tensor.type}; "
                    "convert it with `python -m convert`"
                )
    for tensor in graph.tensors:
        count = 1
        for side in tensor.shape:
            count *= side
            if side < 0 or count > _LARGEST_TENSOR:
                raise ModelError(
                    f"{name}: its tensor {tensor.name!r} has shape {list(tensor.shape)}; convert "
                    "it again"
                )
    spec = model.card.input
    wanted = (1, spec.height, spec.width, 3)
    inputs = [graph.tensors[index] for index in graph.inputs]
    if [tensor.shape for tensor in inputs] != [wanted]:
        raise ModelError(
            f"{name}: its network takes {[list(tensor.shape) for tensor in inputs]}, its card says "
            f"{list(wanted)}; convert it again"
        )
    ends = [*inputs, *(graph.tensors[index] for index in graph.outputs)]
    for tensor in ends:
        if tensor.type != "int8":
            raise ModelError(
                f"{name} is not an int8 network: its tensor {tensor.name!r} is {tensor.type}; "
                "convert it with `python -m convert`"
            )
    return graph
