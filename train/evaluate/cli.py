"""``python -m train evaluate``: measure a network, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge.errors import OutputError
from edge.rim import Number
from train.commands import path_option, progress, released, seed_option

# Low enough to draw the whole precision-recall curve, high enough to leave out the noise floor.
CURVE_THRESHOLD = 0.02


@click.group()
def evaluate() -> None:
    """Measure a network on pictures it never saw, float (.keras) or int8 (.tflite)."""


def _evaluation_options(command: Any) -> Any:
    for option in (
        path_option("--json", "written", metavar="FILE", help="Write everything there too."),
        click.option("--split", default="val", show_default=True, help="Which split of --data."),
        click.option(
            "--repeats", default=1000, show_default=True, type=click.IntRange(min=0),
            help="Bootstrap resamples for the intervals; 0 for none.",
        ),
        path_option("--data", required=True, metavar="DIR", help="Folder of the data set."),
    ):
        command = option(command)
    return command


_detail_option = click.option(
    "--detail", default=1.0, show_default=True, type=Number(1, 4), metavar="N",
    help="Let the detector look at so many times the pixels, as detail in a gate's [models] does.",
)


@evaluate.command("classifier")
@path_option("--model", metavar="FILE", help="Default: the released classifier.")
@click.option(
    "--synthetic", multiple=True, default=("maskon",), show_default=True, metavar="SOURCE",
    help="Source that is left out of every number.",
)
@seed_option("Seed of the training; default from the metrics.json beside --model, or as there.")
@path_option("--detector", metavar="FILE", help="Face detector for class folders.")
@_evaluation_options
def evaluate_classifier(
    model: Path | None, data: Path, split: str, repeats: int, written: Path | None,
    synthetic: tuple[str, ...], seed: int | None, detector: Path | None,
) -> None:
    """Judge labelled faces: NAME.csv or NAME.json in --data, where NAME is --split.

    Class folders, Pascal VOC, one .csv or one .json are split as the training splits them, and
    the side it does not learn from is judged.
    """
    from train.classifier.config import DEFAULT_CONFIG, read_config
    from train.data.folders import detect_in_class_folders
    from train.data.read import read_validation
    from train.evaluate.appearance import read_appearance, read_disputed
    from train.evaluate.faces import evaluate_faces, faces_tables
    from train.evaluate.networks import load_judge, seed_beside, whose

    network = model or released("mask-classifier")
    judge = load_judge(network)
    if seed is None and model is not None:
        seed = seed_beside(model)
    if seed is None:
        seed = read_config(DEFAULT_CONFIG).seed
    faces, notes = read_validation(data, split, detect_in_class_folders(data, detector), seed)
    result = evaluate_faces(
        judge, faces, synthetic, repeats, progress, read_appearance(), read_disputed()
    )
    _report(whose(network, "mask-classifier") | result, faces_tables(result), written)
    for note in notes:
        click.echo(note)


@evaluate.command("detector")
@path_option("--model", metavar="FILE", help="Default: the released detector.")
@click.option(
    "--tilt", default=0.0, show_default=True, type=Number(0, 45), metavar="DEGREES",
    help="Turn every picture by so much, in turns to either side, as a camera that hangs askew.",
)
@_detail_option
@_evaluation_options
def evaluate_detector(
    model: Path | None, tilt: float, detail: float, data: Path, split: str, repeats: int,
    written: Path | None,
) -> None:
    """Find faces in whole pictures: NAME.json in --data."""
    from train.data.coco import read_coco
    from train.evaluate.networks import load_detect, whose
    from train.evaluate.pictures import evaluate_pictures, pictures_tables

    network = model or released("face-detector")
    detect = load_detect(network, CURVE_THRESHOLD, detail)
    pictures = read_coco(data / f"{split}.json")
    result = evaluate_pictures(
        detect, pictures, min(repeats, 300), progress, sliced=True, tilt=tilt
    )
    told = whose(network, "face-detector") | ({"detail": detail} if detail != 1 else {})
    _report(told | result, pictures_tables(result), written)


@evaluate.command("pair")
@path_option("--detector", metavar="FILE", help="Default: the released detector.")
@path_option("--classifier", metavar="FILE", help="Default: the released classifier.")
@click.option(
    "--score-threshold", type=Number(0, 1, min_open=True, max_open=True),
    help="Default: the detector's own.",
)
@_detail_option
@_evaluation_options
def evaluate_both(
    detector: Path | None, classifier: Path | None, score_threshold: float | None, detail: float,
    data: Path, split: str, repeats: int, written: Path | None,
) -> None:
    """Find faces in whole pictures and judge them: NAME.json in --data."""
    from train.data.coco import read_coco
    from train.evaluate.networks import load_detect, load_judge
    from train.evaluate.pair import evaluate_pair, pair_tables

    detect = load_detect(detector or released("face-detector"), score_threshold, detail)
    judge = load_judge(classifier or released("mask-classifier"))
    pictures = read_coco(data / f"{split}.json")
    result = evaluate_pair(detect, judge, pictures, repeats, progress)
    _report(result, pair_tables(result), written)


@evaluate.command("looks")
@path_option("--clip", "clips", required=True, multiple=True, metavar="FILE",
              help="Film of people; may be given several times.")
@path_option("--detector", metavar="FILE", help="Default: the released detector.")
@path_option("--classifier", metavar="FILE", help="Default: the released classifier.")
@click.option(
    "--repeats", default=1000, show_default=True, type=click.IntRange(min=0),
    help="Bootstrap resamples of the people for the intervals; 0 for none.",
)
@path_option("--json", "written", metavar="FILE", help="Write everything there too.")
def evaluate_looks(
    clips: tuple[Path, ...], detector: Path | None, classifier: Path | None, repeats: int,
    written: Path | None,
) -> None:
    """Measure how long a look's error lasts: the gate's decision.correlation_seconds."""
    from train.evaluate.clips import looks_in
    from train.evaluate.looks import looks_tables

    result = looks_in(
        clips, detector or released("face-detector"),
        classifier or released("mask-classifier"), repeats,
    )
    _report(result, looks_tables(result), written)


def _report(result: dict[str, Any], tables: str, written: Path | None) -> None:
    click.echo(tables)
    from train.data.pictures import broken_report

    if result["broken"]:
        click.echo(broken_report(result["broken"]))
    if written is not None:
        from train.report.files import write_json

        try:
            write_json(written, result)
        except OSError as error:
            raise OutputError(f"{written}: cannot be written: {error.strerror}") from error
        click.echo(f"wrote {written}")
