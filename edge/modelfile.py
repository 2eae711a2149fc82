"""The one contract between training and the device: a ``.tflite`` file that describes itself.

A model file is a TensorFlow Lite flatbuffer followed by a zip archive, the layout that
TFLite Model Metadata calls *associated files*: an interpreter reads the flatbuffer and
never sees the archive, and :mod:`zipfile` finds the archive from the end of the file.  The
archive holds ``labels.txt`` for other tools and ``maskgate.json``, the card, for us.  What
a device must know to use the network stands in the card and nowhere else: labels, input
size, normalisation, crop margin, decision calibration, and a self-test.

This module reads.  ``convert/`` writes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from edge import __version__
from edge.cardfields import Fields, printable, shown
from edge.errors import ModelError
from edge.files import regular

Kind = Literal["face-detector", "mask-classifier"]
SelfTestPictures = Literal["blocks", "faces"]

LABELS = ("with_mask", "without_mask", "incorrect_mask")
DETECTOR_LABELS = ("face",)
CARD_NAME = "maskgate.json"
LABELS_NAME = "labels.txt"
CARD_FORMAT = 1
RELEASED_NAMES: Mapping[Kind, str] = {
    "face-detector": "face-detector.int8.tflite",
    "mask-classifier": "mask-classifier.int8.tflite",
}
# The two networks are 0.3 and 2 MB; 64 MB stops a copied video from being read into a Pi's memory.
LARGEST_FILE = 64 * 1024 * 1024
LARGEST_CARD = 1024 * 1024
LARGEST_SIDE = 4096
MOST_MEMBERS = 64
_END_RECORD = struct.Struct("<4s4H2LH")
_ZIP64 = b"PK\x06\x07"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What the network's input tensor holds: ``real = (pixel - mean) / std``.

    *width* and *height* in pixels.  *color* is the channel order the network was trained
    on; pictures inside maskgate are BGR and are swapped for ``"rgb"``.  *mean* and *std* are
    in pixel units, 0 to 255: 127.5 and 127.5 give the range -1 to 1.
    """

    width: int
    height: int
    color: Literal["rgb", "bgr"]
    mean: float
    std: float


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Pictures from a seed, and what the network must answer to them on every device.

    *inputs* pictures of the kind *pictures* are drawn by
    :func:`edge.vision.selftest_pictures.self_test_images`.
    *outputs* maps an output tensor's name to one row per picture: some of the tensor's raw
    integer values, evenly spaced.  A device passes when each differs by at most *tolerance*
    quantisation steps.
    """

    seed: int
    inputs: int
    outputs: Mapping[str, Sequence[Sequence[int]]]
    tolerance: float
    pictures: SelfTestPictures = "blocks"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Everything a device, a technician or an update service needs to know of a network.

    *version* only ever grows: a higher one is newer.  *crop_margin* (classifier only) is the
    share of the face box's longer side added on every side by
    :func:`edge.vision.crop.crop_face`.  *decision* holds calibrated numbers such as
    ``temperature``, ``score_threshold`` and ``nms_iou``.  *network_sha256* is the digest of
    the file's flatbuffer part, so that damage is found before an interpreter sees it.
    """

    format: int
    kind: Kind
    name: str
    version: int
    minimum_maskgate: str
    input: InputSpec
    labels: tuple[str, ...]
    crop_margin: float | None
    decision: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    self_test: SelfTest | None = None
    network_sha256: str = ""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that was read and found whole: where it is, its card, its SHA-256 in hex."""

    path: Path
    card: ModelCard
    sha256: str


def read_model(path: str | os.PathLike[str], kind: Kind | None = None) -> ModelFile:
    """Read and check the model file at *path*; with *kind*, insist on that kind.

    Nothing is executed: the bytes, the archive and the card are checked, the network itself
    is not loaded.  Raises :class:`ModelError` with one line that names the file when it is
    missing, empty, cut short, damaged, no TensorFlow Lite file, without a card, of another
    kind, with labels or a format this maskgate does not know, or made for a newer maskgate.
    """
    return parse_model(read_bytes(Path(path)), Path(path), kind)


def parse_model(data: bytes, path: Path, kind: Kind | None = None) -> ModelFile:
    """Check *data*, the content of a model file; *path* stands for it in messages and the result.

    Raises ModelError as :func:`read_model` does.
    """
    if data[4:8] != b"TFL3":
        raise ModelError(
            f"{path} is not a TensorFlow Lite file: bytes 4 to 8 are {data[4:8]!r}, not b'TFL3'; "
            "give the .tflite that `python -m convert` wrote"
        )
    members, network = parts_of(data, path)
    card = parse_card(members[CARD_NAME], str(path))
    if card.network_sha256 and hashlib.sha256(network).hexdigest() != card.network_sha256:
        raise ModelError(
            f"{path} is damaged: the network's bytes do not match the digest in its card; "
            "copy the file again"
        )
    if kind is not None and card.kind != kind:
        raise ModelError(
            f"{path} is a {card.kind}, but a {kind} is needed here; give a file of that kind"
        )
    return ModelFile(path, card, hashlib.sha256(data).hexdigest())


def read_bytes(path: Path) -> bytes:
    """Return the content of a model file, or raise :class:`ModelError` for what cannot be one."""
    try:
        with regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST_FILE:
                raise ModelError(
                    f"{path} is {size / 1e6:.0f} MB; a model file has at most "
                    f"{LARGEST_FILE / 1e6:.0f} MB, so this is something else"
                )
            data = file.read(LARGEST_FILE)
    except FileNotFoundError:
        raise ModelError(
            f"model file {path} does not exist; check the path, or leave it out to use the "
            "released model"
        ) from None
    except OSError as error:
        raise ModelError(
            f"cannot read model file {path}: {error.strerror or error}; name a .tflite file that "
            "this user may read"
        ) from error
    if not data:
        raise ModelError(f"model file {path} is empty; copy it again")
    return data


def parts_of(data: bytes, path: Path) -> tuple[dict[str, str], bytes]:
    """Return the texts of the card and of ``labels.txt``, where there is one, and the flatbuffer.

    Raises ModelError, naming *path*, where the archive is missing, damaged or no plain one.
    """
    # The local header of the card is searched only to tell a cut file from a foreign one.
    foreign = (
        f"{path} has no maskgate card ({CARD_NAME}); convert the network with "
        "`python -m convert`, which writes one"
    )
    cut = f"{path} is cut short or damaged: its archive cannot be read; copy the file again"
    texts: dict[str, str] = {}
    try:
        _check_directory(data, path)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if CARD_NAME not in archive.namelist():
                raise ModelError(foreign)
            if len(entries) != len(set(archive.namelist())):
                # Which of two cards counts is a matter of who reads: of us, or of another tool.
                raise ModelError(f"{path}: its archive holds a name twice; convert it again")
            for entry in entries:
                if entry.filename not in (CARD_NAME, LABELS_NAME):
                    continue
                if entry.file_size > LARGEST_CARD:
                    raise ModelError(
                        f"{path}: its card has {entry.file_size} bytes; at most {LARGEST_CARD} "
                        "are read"
                    )
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ModelError(f"{path}: its card is packed in another way than zip's own")
                texts[entry.filename] = archive.read(entry).decode("utf-8")
            start = min(entry.header_offset for entry in entries)
    except ModelError:
        raise
    except UnicodeDecodeError as error:
        raise ModelError(f"{path}: its card is not UTF-8 text; convert it again") from error
    except Exception as error:
        # zipfile answers crafted bytes with BadZipFile, EOFError, struct.error, zlib.error,
        # NotImplementedError, RuntimeError, OverflowError, ...: all of them mean this here.
        raise ModelError(cut if b"PK\x03\x04" in data else foreign) from error
    return texts, data[:start]


def _check_directory(data: bytes, path: Path) -> None:
    """Refuse an archive whose directory alone would fill a small board's memory."""
    # The record is found as zipfile finds it, or what is checked here were not what it reads.
    place = len(data) - _END_RECORD.size
    if place < 0 or data[place : place + 4] != b"PK\x05\x06" or data[-2:] != bytes(2):
        place = data.rfind(b"PK\x05\x06", max(0, len(data) - _END_RECORD.size - 65536))
    if place < 0 or place + _END_RECORD.size > len(data):
        return
    _, _, _, _, entries, size, _, _ = _END_RECORD.unpack_from(data, place)
    if entries > MOST_MEMBERS or size > LARGEST_CARD or data[place - 20 : place - 16] == _ZIP64:
        raise ModelError(
            f"{path}: its archive says it has {entries} members in a directory of {size} bytes; "
            f"at most {MOST_MEMBERS} and {LARGEST_CARD} are read; convert it again"
        )


def parse_card(text: str, name: str) -> ModelCard:
    """Return the card written in *text* (JSON); *name* stands in messages for the file.

    Raises :class:`ModelError` that names the field, its value, and what is allowed.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name}: its card is not JSON ({error}); convert it again") from error
    if not isinstance(tree, dict):
        raise ModelError(f"{name}: its card is a {type(tree).__name__}, not a JSON object")
    read = Fields(tree, name)
    if (number := read.integer("format", 1)) > CARD_FORMAT:
        raise ModelError(
            f"{name}: its card has format {number}; this maskgate {__version__} reads up to "
            f"{CARD_FORMAT}; update maskgate first"
        )
    minimum = read.text("minimum_maskgate")
    if _version(minimum, name) > _version(__version__, "maskgate"):
        raise ModelError(
            f"{name} needs maskgate {printable(minimum, 80)} or newer; this is {__version__}; "
            "update maskgate first"
        )
    kind = read.text("kind")
    if kind not in RELEASED_NAMES:
        raise ModelError(
            f"{name}: its card says kind {shown(kind)}; one of {', '.join(RELEASED_NAMES)} is "
            "needed"
        )
    return ModelCard(
        format=number,
        kind=cast(Kind, kind),
        name=read.text("name"),
        version=read.integer("version", 0),
        minimum_maskgate=minimum,
        input=_input_spec(Fields(read.mapping("input"), name, "input.")),
        labels=_labels(cast(Kind, kind), read.texts("labels"), name),
        crop_margin=_crop_margin(cast(Kind, kind), read),
        decision=_decision(read),
        metrics=read.mapping("metrics", {}),
        provenance=read.mapping("provenance", {}),
        self_test=_self_test(read, name),
        network_sha256=read.text("network_sha256", ""),
    )


def released_model(kind: Kind) -> Path:
    """Return the path of the model that maskgate brings for *kind*.

    ``$MASKGATE_MODELS``, where it is set, names the folder to look in and nothing else is
    looked at.  Otherwise it is the folder installed with the package, or ``models/`` beside
    ``edge/`` in a checkout.  Raises :class:`ModelError` when the file is not there.
    """
    name = RELEASED_NAMES[kind]
    wanted = os.environ.get("MASKGATE_MODELS")
    package = Path(__file__).resolve().parent
    folders = [Path(wanted)] if wanted else [package / "released", package.parent / "models"]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    where = f"$MASKGATE_MODELS ({wanted})" if wanted else " or ".join(map(str, folders))
    raise ModelError(
        f"no {kind} in {where}: {name} is missing; install maskgate again, or name a model file"
    )


def _input_spec(read: Fields) -> InputSpec:
    color = read.text("color")
    if color not in ("rgb", "bgr"):
        raise read.wrong("color", color, "'rgb' or 'bgr'")
    std = read.number("std")
    if std <= 0:
        raise read.wrong("std", std, "a number above 0")
    return InputSpec(
        width=read.integer("width", 1, LARGEST_SIDE),
        height=read.integer("height", 1, LARGEST_SIDE),
        color=cast(Literal["rgb", "bgr"], color),
        mean=read.number("mean"),
        std=std,
    )


def _labels(kind: Kind, labels: tuple[str, ...], name: str) -> tuple[str, ...]:
    known = DETECTOR_LABELS if kind == "face-detector" else LABELS
    needed = DETECTOR_LABELS if kind == "face-detector" else LABELS[:2]
    if len(set(labels)) != len(labels) or not set(needed) <= set(labels) <= set(known):
        raise ModelError(
            f"{name}: its labels are {shown(list(labels))}; a {kind} has {list(known)}; "
            "train and convert it with these labels"
        )
    return labels


def _crop_margin(kind: Kind, read: Fields) -> float | None:
    if kind == "face-detector":
        return None
    margin = read.number("crop_margin")
    if not 0 <= margin <= 2:
        raise read.wrong("crop_margin", margin, "0 to 2")
    return margin


def _decision(outer: Fields) -> dict[str, float]:
    numbers = outer.numbers("decision")
    read = Fields(numbers, outer.name, "decision.")
    for key, value in numbers.items():
        if key in ("score_threshold", "nms_iou") and not 0 < value < 1:
            raise read.wrong(key, value, "a number above 0 and below 1")
        if key == "temperature" and not value > 0:
            raise read.wrong(key, value, "a number above 0")
        if key.startswith("prior_") and not 0 < value <= 1:
            raise read.wrong(key, value, "a number above 0 and at most 1")
    return numbers


def _self_test(outer: Fields, name: str) -> SelfTest | None:
    if outer.tree.get("self_test") is None:
        return None
    read = Fields(outer.mapping("self_test"), name, "self_test.")
    inputs = read.integer("inputs", 1, 64)
    outputs: dict[str, tuple[tuple[int, ...], ...]] = {}
    for key, rows in read.mapping("outputs").items():
        whole = isinstance(rows, list) and len(rows) == inputs and all(
            isinstance(row, list) and row and all(type(value) is int for value in row)
            for row in rows
        )
        if not whole:
            raise read.wrong(f"outputs.{key}", rows, f"{inputs} rows of integers")
        outputs[key] = tuple(tuple(row) for row in rows)
    tolerance = read.number("tolerance")
    if tolerance < 0:
        raise read.wrong("tolerance", tolerance, "0 or more quantisation steps")
    pictures = read.text("pictures", "blocks")
    if pictures not in ("blocks", "faces"):
        raise read.wrong("pictures", pictures, "'blocks' or 'faces', or a newer maskgate,")
    drawn: SelfTestPictures = "faces" if pictures == "faces" else "blocks"
    return SelfTest(read.integer("seed", 0), inputs, outputs, tolerance, drawn)


def _version(text: str, name: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("."))
    except ValueError:
        raise ModelError(
            f"{name}: its card says minimum_maskgate {shown(text)}; digits and dots are needed, "
            "such as 0.1.0"
        ) from None
