"""TFLite Model Metadata: what other people's tools read of our files.

The table and slot numbers are those of the public ``metadata_schema.fbs``, version 1.1.0
(github.com/tensorflow/tflite-support, tensorflow_lite_support/metadata/).  No maintained
package generates code from it, and a dozen tables do not need one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import flatbuffers
from flatbuffers.number_types import Int8Flags, Uint8Flags, Uint32Flags

from edge.modelfile import InputSpec

IDENTIFIER = b"M001"
# Nothing newer than version 1.0.0 of the schema is written.
MINIMUM_PARSER = "1.0.0"
LABELS_NAME = "labels.txt"

_DESCRIPTIONS, _TENSOR_AXIS_LABELS = 1, 2
_RGB, _UNKNOWN_COLOR = 1, 0
_IMAGE_PROPERTIES, _NORMALIZATION_OPTIONS = 2, 1

Field = tuple[str, object]
Table = Mapping[int, Field]


@dataclass(frozen=True, slots=True)
class Description:
    """What a tool shows of a model.  *outputs* maps each output tensor to a sentence on it."""

    name: str
    description: str
    version: str
    author: str
    license: str
    outputs: Mapping[str, str]
    labelled_output: str | None
    card_name: str


def build_metadata(about: Description, spec: InputSpec) -> bytes:
    """Return the metadata flatbuffer (identifier M001) for a model with input *spec*.

    The tensor ``about.labelled_output`` is given ``labels.txt`` as the labels of its axis.
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, _model(about, spec)), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _model(about: Description, spec: InputSpec) -> Table:
    graph: Table = {
        0: ("text", about.name),
        2: ("tables", [_image(spec)]),
        3: ("tables", [_output(about, *item) for item in about.outputs.items()]),
    }
    card = _file(about.card_name, "maskgate's card: everything a device needs", _DESCRIPTIONS)
    return {
        0: ("text", about.name),
        1: ("text", about.description),
        2: ("text", about.version),
        3: ("tables", [graph]),
        4: ("text", about.author),
        5: ("text", about.license),
        6: ("tables", [card]),
        7: ("text", MINIMUM_PARSER),
    }


def _image(spec: InputSpec) -> Table:
    size: Table = {0: ("uint", spec.width), 1: ("uint", spec.height)}
    color = _RGB if spec.color == "rgb" else _UNKNOWN_COLOR
    properties: Table = {0: ("byte", color), 1: ("table", size)}
    content: Table = {0: ("ubyte", _IMAGE_PROPERTIES), 1: ("table", properties)}
    normalization: Table = {0: ("floats", [spec.mean]), 1: ("floats", [spec.std])}
    unit: Table = {0: ("ubyte", _NORMALIZATION_OPTIONS), 1: ("table", normalization)}
    stats: Table = {
        0: ("floats", [(255 - spec.mean) / spec.std]),
        1: ("floats", [(0 - spec.mean) / spec.std]),
    }
    return {
        0: ("text", "image"),
        1: ("text", f"A picture, {spec.width}x{spec.height}, channels {spec.color.upper()}."),
        3: ("table", content),
        4: ("tables", [unit]),
        5: ("table", stats),
    }


def _output(about: Description, name: str, description: str) -> Table:
    table: dict[int, Field] = {0: ("text", name), 1: ("text", description)}
    if name == about.labelled_output:
        labels = _file(LABELS_NAME, "one label a line", _TENSOR_AXIS_LABELS)
        table[6] = ("tables", [labels])
    return table


def _file(name: str, description: str, kind: int) -> Table:
    return {0: ("text", name), 1: ("text", description), 2: ("byte", kind)}


def _write(builder: flatbuffers.Builder, table: Table) -> int:
    # Children first: a flatbuffer is written back to front and tables do not nest.
    ready = {slot: _child(builder, *field) for slot, field in table.items()}
    builder.StartObject(max(table) + 1)
    for slot, (kind, _) in table.items():
        if kind == "byte":
            builder.PrependSlot(Int8Flags, slot, ready[slot], 0)
        elif kind == "ubyte":
            builder.PrependSlot(Uint8Flags, slot, ready[slot], 0)
        elif kind == "uint":
            builder.PrependSlot(Uint32Flags, slot, ready[slot], 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, ready[slot], 0)
    return int(builder.EndObject())


def _child(builder: flatbuffers.Builder, kind: str, value: object) -> int:
    if kind == "text":
        return int(builder.CreateString(str(value)))
    if kind == "table":
        return _write(builder, value)  # type: ignore[arg-type]
    if kind == "tables":
        return _offsets(builder, [_write(builder, item) for item in value])  # type: ignore[attr-defined]
    if kind == "floats":
        numbers: Sequence[float] = list(value)  # type: ignore[call-overload]
        builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            builder.PrependFloat32(number)
        return int(builder.EndVector())
    return int(value)  # type: ignore[call-overload]


def _offsets(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
