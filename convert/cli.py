"""``python -m convert``: from a trained Keras network to a model file for the device."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from edge import __version__
from edge.errors import ModelError, UsageError
from edge.rim import Number, Rim

_EXIT_CODES = """\b
Exit codes:
  0    done
  1    a bug in maskgate; MASKGATE_DEBUG=1 shows where
  2    an option, a setting, or an entry of metrics.json that is not allowed
  4    a model that is missing, damaged or of another kind
  5    a file or folder that cannot be written
  6    data that break their format
  7    float and int8 differ by more than is allowed
  130  stopped by Ctrl-C
"""


@click.group(
    cls=Rim,
    program="python -m convert",
    interrupted="interrupted; nothing was written",
    epilog=_EXIT_CODES,
)
@click.version_option(__version__, package_name="maskgate")
def main() -> None:
    """Make int8 model files that describe themselves and prove that they are right."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def _path(*names: str, **options: Any) -> Any:
    return click.option(*names, type=click.Path(path_type=Path), **options)


def _common(command: Any) -> Any:
    options = (
        _path("--model", required=True, metavar="FILE", help="The trained model.keras."),
        _path("--data", required=True, metavar="DIR", help="Folder of the data set."),
        _path("--out", required=True, metavar="FILE", help="The .tflite to write."),
        _path("--metrics", metavar="FILE", help="Default: metrics.json beside --model."),
        _path("--report", metavar="FILE", help="Parity report, written as .md and .json. "
              "Default: parity beside --model."),
        _path("--notes", metavar="FILE", help="Markdown on sources and known weaknesses, for the "
              "model card."),
        click.option("--name", help="Name in the card. Default: the kind."),
        click.option("--model-version", type=click.IntRange(0, 2**63), help="Only ever grows. "
                     "Default: one more than the file that --out replaces."),
        click.option("--force", is_flag=True, help="Write even when float and int8 differ by more "
                     "than is allowed, of which the card will tell, or when the network answers "
                     "the same to its whole self-test."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _share(name: str, default: float, text: str) -> Any:
    return click.option(
        name, type=Number(0, 100), default=default, show_default=True,
        metavar="PERCENT", help=text,
    )


@main.command()
@_common
@click.option("--crop-margin", type=Number(0, 2), help="Default: the training's.")
@click.option("--temperature", type=Number(0.01, 100), help="Default: the training's.")
@click.option("--calibration", type=click.IntRange(1), default=500, show_default=True,
              help="Faces of the training split that int8 ranges are measured on.")
@_share("--least-agreement", 99.0, "Faces with the same answer.")
@_share("--most-accuracy-loss", 1.0, "Points of accuracy that int8 may lose.")
def classifier(
    crop_margin: float | None, temperature: float | None, calibration: int,
    least_agreement: float, most_accuracy_loss: float, **given: Any,
) -> None:
    """Convert the mask classifier."""
    from dataclasses import replace

    from convert.build import About, build_classifier, face_counts, provenance
    from convert.parity import Bounds
    from convert.record import classifier_input, priors, wanted
    from train.data.folders import detect_in_class_folders
    from train.data.read import read_face_data

    record, version, notes = _beforehand(given)
    margin = wanted(crop_margin, record, "crop_margin", "--crop-margin")
    heat = wanted(temperature, record, "temperature", "--temperature")
    seed = record.get("seed", 0)
    network = _network(given["model"], "mask-classifier")
    faces = read_face_data(given["data"], detect_in_class_folders(given["data"]), seed=seed)
    told = record.get("data", {})
    synthetic = set(told.get("synthetic", ()))
    real = [face for face in faces.validation.records if face.source not in synthetic]
    data = {
        "checksum": faces.checksum,
        "synthetic": sorted(synthetic),
        "train": face_counts(faces.train),
        "validation": face_counts(faces.validation),
    }
    built = build_classifier(
        network,
        classifier_input(record, network),
        margin,
        faces.train,
        replace(faces.validation, records=real),
        About(
            given["name"] or "mask-classifier",
            version,
            {"temperature": heat, **priors(record)},
            _measured(record),
            provenance(record, given["model"], _command(), data),
        ),
        crops=calibration,
        seed=seed,
        progress=_progress,
    )
    bounds = Bounds(least_agreement / 100, most_accuracy_loss / 100)
    _finish(built, bounds, 8, "logits", notes, given, faces.notes)


@main.command()
@_common
@click.option("--width", type=int, help="Input width, a multiple of 32. Default: the training's.")
@click.option("--height", type=int, help="Input height, a multiple of 32. Default: the training's.")
@click.option("--score-threshold", type=Number(0.01, 0.99),
              help="Score from which the device reports a face. Default: the training's, or 0.5.")
@click.option("--nms-iou", type=Number(0.1, 0.95),
              help="Overlap above which two boxes are one face. Default: the training's, or 0.45.")
@click.option("--calibration", type=click.IntRange(1), default=300, show_default=True,
              help="Pictures of the training split that int8 ranges are measured on.")
@_share("--least-matched", 97.0, "Faces of either network that the other finds too.")
def detector(
    width: int | None, height: int | None, score_threshold: float | None, nms_iou: float | None,
    calibration: int, least_matched: float, **given: Any,
) -> None:
    """Convert the face detector."""
    from convert.build import About, build_detector, picture_counts, provenance
    from convert.parity import Bounds
    from convert.record import detector_input, wanted
    from train.data.coco import read_coco

    record, version, notes = _beforehand(given)
    spec = detector_input(record, width, height)
    decided = {"score_threshold": 0.5, "nms_iou": 0.45, **record.get("decision", {})}
    decision = {
        "score_threshold": wanted(score_threshold, decided, "score_threshold", "--score-threshold"),
        "nms_iou": wanted(nms_iou, decided, "nms_iou", "--nms-iou"),
    }
    network = _network(given["model"], "face-detector")
    pictures, held_out = (read_coco(given["data"] / f"{side}.json") for side in ("train", "val"))
    data = {
        "checksum": record.get("data", {}).get("checksum", ""),
        "train": picture_counts(pictures),
        "validation": picture_counts(held_out),
    }
    built = build_detector(
        network,
        spec,
        pictures,
        held_out,
        About(
            given["name"] or "face-detector",
            version,
            decision,
            _measured(record),
            provenance(record, given["model"], _command(), data),
        ),
        pictures=calibration,
        seed=record.get("config", {}).get("seed") or 0,
        progress=_progress,
    )
    _finish(built, Bounds(matched=least_matched / 100), 2, None, notes, given)


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@_path("--notes", metavar="FILE", help="Markdown on sources and known weaknesses.")
@_path("--evaluation", metavar="FILE", help="JSON that `python -m train evaluate` wrote for MODEL.")
@_path("--out", metavar="FILE", help="Default: MODEL with the ending .md.")
def card(model: Path, notes: Path | None, evaluation: Path | None, out: Path | None) -> None:
    """Write the card a person reads, from the one inside MODEL."""
    from convert.cardtext import card_text
    from convert.evaluation import read_evaluation
    from convert.places import card_path, check_apart, check_ending
    from edge.files import told_as, write_whole
    from edge.modelfile import read_model

    out = out or card_path(model)
    check_ending(out, ".md")
    inputs = (("MODEL", model), ("--notes", notes), ("--evaluation", evaluation))
    check_apart([("the card", out)], inputs)
    file = read_model(model)
    measured = read_evaluation(evaluation, file) if evaluation else None
    text = card_text(file, _text(notes), measured)
    with told_as("--out", out):
        write_whole(out, text)
    click.echo(f"wrote {out}")


def _finish(
    built: Any, bounds: Any, inputs: int, labelled: str | None, notes: str,
    given: Mapping[str, Any], told: Sequence[str] = (),
) -> None:
    from convert.places import card_path
    from convert.release import Destination, release, with_self_test
    from convert.tables import plain_table
    from train.data.pictures import broken_report

    counts = ", ".join(f"{count} {name}" for name, count in built.operators.most_common())
    click.echo(f"int8 throughout: {counts}")
    click.echo(plain_table(built.parity.rows(bounds)))
    # Before the verdict: whoever asks why float and int8 differ wants to know of these.
    for line in filter(None, (*told, broken_report(built.broken))):
        click.echo(line)
    out = given["out"]
    to = Destination(out, _report(given), notes, given["force"])
    card = with_self_test(built.network, built.card, inputs, force=given["force"])
    model = release(built.network, card, built.parity, bounds, to, labelled=labelled)
    size = model.path.stat().st_size
    click.echo(f"wrote {out} ({size:,} bytes, version {card.version}) and {card_path(out)}")


def _beforehand(given: Mapping[str, Any]) -> tuple[dict[str, Any], int, str]:
    """Return the training's record, the version and the notes: what is cheap to find wrong."""
    from convert.record import converted_on, read_record

    if not given["model"].is_file():
        raise ModelError(f"{given['model']}: no such file; train it with python -m train")
    _check_places(given)
    record = read_record(_metrics(given))
    converted_on(os.environ)
    return record, _version(given["model_version"], given["out"]), _text(given["notes"])


def _check_places(given: Mapping[str, Any]) -> None:
    from convert.places import card_path, check_apart, check_ending, report_paths
    from edge.files import check_writable

    check_ending(given["out"], ".tflite")
    markdown, machine = report_paths(_report(given))
    outputs = (
        ("--out", given["out"]), ("the card beside --out", card_path(given["out"])),
        ("the report's Markdown", markdown), ("the report's JSON", machine),
    )
    inputs = (
        ("--model", given["model"]), ("--metrics", _metrics(given)), ("--notes", given["notes"]),
        *((f"{side}.json in --data", given["data"] / f"{side}.json") for side in ("train", "val")),
    )
    check_apart(outputs, inputs)
    for name, path in outputs:
        check_writable(name, path, folders=True)


def _metrics(given: Mapping[str, Any]) -> Path:
    return given["metrics"] or given["model"].parent / "metrics.json"


def _report(given: Mapping[str, Any]) -> Path:
    return given["report"] or given["model"].parent / "parity"


def _network(path: Path, kind: Any) -> Any:
    from convert.kinds import check_outputs
    from convert.quantise import load_keras

    network = load_keras(path)
    check_outputs(network, kind)
    return network


def _measured(record: Mapping[str, Any]) -> dict[str, Any]:
    from convert.record import MEASURED

    # Only what was measured on held-out data belongs on a card; the rest is provenance.
    return {
        name.replace("_", " ") + ", float": tree
        for name, tree in record.items()
        if name.startswith(MEASURED) and isinstance(tree, dict)
    }


def _version(given: int | None, out: Path) -> int:
    from edge.modelfile import read_model

    if given is not None:
        return given
    if not out.exists():
        return 1
    try:
        return read_model(out).card.version + 1
    except ModelError as error:
        raise ModelError(f"{error}; or pass --model-version to write over it") from error


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error


def _command() -> str:
    return shlex.join(["python", "-m", "convert", *sys.argv[1:]])


def _progress(items: Any) -> Any:
    from tqdm import tqdm

    return tqdm(items, disable=None, leave=False)
