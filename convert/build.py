"""From a training's folder to an int8 network, its card, and how it compares with the float one."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from convert.calibration import calibration_inputs, face_crops, spread
from convert.graph import check_int8, name_ends
from convert.kinds import check_outputs
from convert.narrow import narrow_branches, narrow_outputs
from convert.parity import (
    SCORE_SLACK,
    ClassifierParity,
    DetectorParity,
    compare_classifiers,
    compare_detectors,
)
from convert.quantise import (
    converter_version,
    float_function,
    output_names,
    quantise,
    quiet_native_output,
)
from convert.ranges import detector_ranges
from convert.record import converted_on
from edge import __version__
from edge.errors import DataError
from edge.modelfile import CARD_FORMAT, DETECTOR_LABELS, LABELS, InputSpec, Kind, ModelCard
from edge.vision.classifier import LOGITS
from edge.vision.crop import Image
from edge.vision.detector import LOWEST_SCORE, Faces, candidates, gather_faces
from edge.vision.interpreter import Network, to_float
from edge.vision.letterbox import letterbox
from train.data.pictures import LoadedFaces, broken_report, read_picture
from train.data.records import PictureRecord

T = TypeVar("T")
Progress = Callable[[Iterable[T]], Iterable[T]]

FLOAT_BATCH = 16


@dataclass(frozen=True, slots=True)
class About:
    """What a person or the training says of a model: *decision* numbers, *metrics*, origin."""

    name: str
    version: int
    decision: Mapping[str, float]
    metrics: Mapping[str, Any]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Built:
    """An int8 network, named and checked, with its card and its parity with the float one.

    *broken* are the pictures that could not be read and were left out.
    """

    network: bytes
    card: ModelCard
    parity: ClassifierParity | DetectorParity
    operators: Counter[str]
    broken: tuple[Path, ...]


def build_classifier(
    model: Any,
    spec: InputSpec,
    margin: float,
    train: LoadedFaces,
    validation: LoadedFaces,
    about: About,
    *,
    crops: int,
    seed: int = 0,
    progress: Progress[Any] = iter,
) -> Built:
    """Quantise the Keras classifier *model* and compare it with itself on *validation*.

    *crops* faces of *train*, spread over labels and sources, calibrate it.  Raises ModelError
    when the network is no classifier or cannot be made int8 throughout, DataError when there
    is no face to compare on.
    """
    if not validation.records:
        raise DataError("no validation face is left to compare float and int8 on")
    check_outputs(model, "mask-classifier")
    chosen = spread(train.records, crops, lambda record: (record.label, record.source), seed)
    pictures = face_crops(train, chosen, margin, spec.width)
    network, operators = _int8(model, spec, pictures, (LOGITS,))
    images = face_crops(validation, validation.records, margin, spec.width)
    floats = np.concatenate([out[LOGITS] for out in _float_outputs(model, images, spec, progress)])
    int8 = _loaded(network, spec)
    quantised = np.concatenate([int8.run(image)[LOGITS] for image in progress(images)])
    parity = compare_classifiers(
        floats,
        quantised,
        [LABELS.index(record.label) for record in validation.records],
        [record.picture.name for record in validation.records],
        LABELS,
        about.decision["temperature"],
    )
    card = _card("mask-classifier", spec, about, LABELS, margin)
    return Built(network, card, parity, operators, (*train.broken, *validation.broken))


def build_detector(
    model: Any,
    spec: InputSpec,
    train: Sequence[PictureRecord],
    validation: Sequence[PictureRecord],
    about: About,
    *,
    pictures: int,
    seed: int = 0,
    progress: Progress[Any] = iter,
) -> Built:
    """Quantise the Keras detector *model* and compare it with itself on *validation*.

    *pictures* of *train*, spread over sources and letterboxed as on the device, calibrate it.
    Raises ModelError when the network is no detector or cannot be made int8 throughout,
    DataError when no picture can be read.
    """
    check_outputs(model, "face-detector")
    chosen = spread(train, pictures, lambda record: record.source, seed)
    calibrating, unread = _letterboxed(chosen, spec)
    held_out, left_out = _letterboxed(validation, spec)
    broken = tuple(dict.fromkeys((*unread, *left_out)))
    for purpose, read in (("calibrate", calibrating), ("compare", held_out)):
        if not read:
            told = broken_report(broken) or "the data list none"
            raise DataError(f"no picture is left to {purpose} on: {told}")
    samples = [canvas for _, canvas, _, _ in calibrating]
    network, operators = _int8(model, spec, samples, output_names(model))
    decision = about.decision
    lowest = max(LOWEST_SCORE, decision["score_threshold"] - SCORE_SLACK)

    def decode(raw: Mapping[str, Any], scale: float, size: tuple[int, int]) -> Faces:
        return gather_faces(candidates(raw, lowest), scale, *size, decision["nms_iou"])

    canvases = [canvas for _, canvas, _, _ in held_out]
    floats: list[Faces] = []
    for batch in _float_outputs(model, canvases, spec, progress):
        for row in range(len(next(iter(batch.values())))):
            _, _, scale, size = held_out[len(floats)]
            one = {name: (values[row : row + 1], 1.0, 0) for name, values in batch.items()}
            floats.append(decode(one, scale, size))
    int8 = _loaded(network, spec)
    quantised = [
        decode(int8.run_raw(canvas), scale, size) for _, canvas, scale, size in progress(held_out)
    ]
    names = [name for name, _, _, _ in held_out]
    parity = compare_detectors(floats, quantised, names, decision["score_threshold"])
    card = _card("face-detector", spec, about, DETECTOR_LABELS, None)
    return Built(network, card, parity, operators, broken)


def provenance(
    record: Mapping[str, Any], keras_file: Path, command: str, data: Mapping[str, Any]
) -> dict[str, Any]:
    """Return where a model comes from, for its card: commands, data, settings, versions, date.

    Raises UsageError when ``SOURCE_DATE_EPOCH`` is set and is no time.
    """
    return {
        "command": record.get("command", ""),
        "convert_command": command,
        "converted": converted_on(os.environ),
        "converter": converter_version(),
        "maskgate": __version__,
        "keras_sha256": hashlib.sha256(keras_file.read_bytes()).hexdigest(),
        "parameters": record.get("parameters"),
        "seed": record.get("seed", record.get("config", {}).get("seed")),
        "backbone": record.get("backbone"),
        "start": record.get("start"),
        "average_of": record.get("average_of"),
        "data": dict(data),
        "config": record.get("config", {}),
        "libraries": record.get("libraries", record.get("versions", {})),
    }


def picture_counts(records: Sequence[PictureRecord]) -> dict[str, dict[str, int]]:
    """Return, by source, how many pictures and how many faces of each label *records* hold."""
    table: dict[str, dict[str, int]] = {}
    for record in records:
        row = table.setdefault(record.source or "unnamed", {})
        row["pictures"] = row.get("pictures", 0) + 1
        for face in record.faces:
            label = "ignored" if face.ignore else face.label
            row[label] = row.get(label, 0) + 1
    return table


def face_counts(faces: LoadedFaces) -> dict[str, dict[str, int]]:
    """Return, by source, how many faces of each label *faces* holds."""
    table: dict[str, dict[str, int]] = {}
    for record in faces.records:
        row = table.setdefault(record.source or "unnamed", dict.fromkeys(LABELS, 0))
        row[record.label] += 1
    return table


def _int8(
    model: Any, spec: InputSpec, pictures: Sequence[Image], names: Sequence[str]
) -> tuple[bytes, Counter[str]]:
    inputs = calibration_inputs(pictures, spec)
    network = quantise(model, spec.height, spec.width, inputs)
    operators = check_int8(network)
    network = narrow_branches(name_ends(network, names))
    if LOGITS not in names:
        network = narrow_outputs(network, detector_ranges(max(spec.width, spec.height)))
    return network, operators


def _float_outputs(
    model: Any, images: Sequence[Image], spec: InputSpec, progress: Progress[Any]
) -> Iterable[dict[str, Any]]:
    run = float_function(model)
    names = output_names(model)
    for start in progress(range(0, len(images), FLOAT_BATCH)):
        batch = to_float(np.stack(images[start : start + FLOAT_BATCH]), spec)
        outputs = run(batch)
        yield {LOGITS: outputs[names[0]]} if len(names) == 1 else outputs


def _letterboxed(
    records: Sequence[PictureRecord], spec: InputSpec
) -> tuple[list[tuple[str, Image, float, tuple[int, int]]], list[Path]]:
    """Return name, canvas, scale and size of each picture that can be read, and the broken ones."""
    found, broken = [], []
    for record in records:
        image = read_picture(record.path)
        if image is None:
            broken.append(record.path)
            continue
        canvas, scale = letterbox(image, spec.width, spec.height)
        found.append((record.path.name, canvas, scale, (image.shape[1], image.shape[0])))
    return found, broken


def _loaded(content: bytes, spec: InputSpec) -> Network:
    with tempfile.TemporaryDirectory() as folder, quiet_native_output():
        path = Path(folder) / "network.tflite"
        path.write_bytes(content)
        return Network(path, spec)


def _card(
    kind: Kind, spec: InputSpec, about: About, labels: tuple[str, ...], margin: float | None
) -> ModelCard:
    return ModelCard(
        format=CARD_FORMAT,
        kind=kind,
        name=about.name,
        version=about.version,
        minimum_maskgate=__version__,
        input=spec,
        labels=labels,
        crop_margin=margin,
        decision=about.decision,
        metrics=about.metrics,
        provenance=about.provenance,
    )
