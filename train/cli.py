"""``python -m train``: train the two networks, and evaluate them."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import click

from edge.errors import OutputError, UsageError
from edge.rim import Number, Rim
from train.commands import (
    command_line,
    path_option,
    progress,
    released,
    seed_option,
    seeded,
    writing,
)
from train.evaluate.cli import CURVE_THRESHOLD, evaluate

_EXIT_CODES = """\b
Exit codes:
  0    done
  1    a bug in maskgate; MASKGATE_DEBUG=1 shows where
  2    an option or setting that is not allowed
  4    a model file that is missing, damaged or of another kind
  5    a file or folder that cannot be written
  6    data that break their format, or are not those of the training in --out
  130  stopped by Ctrl-C; the same command goes on
"""


@click.group(
    cls=Rim,
    epilog=_EXIT_CODES,
    program="python -m train",
    interrupted="interrupted; the same command goes on after the last whole epoch",
)
@click.version_option(package_name="maskgate")
def main() -> None:
    """Train the networks of maskgate from photographs, and measure them."""
    # TensorFlow's start-up chatter hides what we have to say.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@main.command()
@path_option("--data", required=True, metavar="DIR", help="Folder of the data set.")
@path_option("--out", required=True, metavar="DIR", help="Folder of this training.")
@click.option("--alpha", type=float, help="Width of MobileNetV2.")
@click.option("--input-size", type=int, metavar="PIXELS", help="Side of the network's input.")
@click.option(
    "--backbone", default="imagenet", show_default=True, metavar="imagenet|FILE|none",
    help="Weights to start from.",
)
@path_option("--start", metavar="FILE", help="A classifier's .keras to go on from instead.")
@path_option("--lookalikes", metavar="DIR",
             help="Folder of pictures with places that are no face, to say nothing about.")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs in all.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Faces a step.")
@seed_option("Seed of everything drawn.")
@click.option("--resume/--fresh", default=True, help="Go on where --out stands, or start anew.")
@path_option("--config", metavar="FILE", help="TOML; default train/configs/classifier.toml.")
@path_option("--detector", metavar="FILE", help="Face detector for class folders.")
def classifier(
    data: Path, out: Path, backbone: str, start: Path | None, lookalikes: Path | None,
    resume: bool, config: Path | None, detector: Path | None, **given: Any,
) -> None:
    """Train the mask classifier on labelled faces."""
    from train.classifier.config import DEFAULT_CONFIG, overridden, read_config
    from train.classifier.training import train_classifier
    from train.data.folders import detect_in_class_folders
    from train.data.read import read_face_data

    settings = read_config(config or DEFAULT_CONFIG)
    settings = overridden(
        settings, "network", alpha=given["alpha"], input_size=given["input_size"]
    )
    settings = overridden(
        settings, "schedule", epochs=given["epochs"], batch_size=given["batch_size"]
    )
    settings = seeded(settings, given["seed"])
    faces = read_face_data(data, detect_in_class_folders(data, detector), seed=settings.seed)
    with writing(out):
        outcome = train_classifier(
            faces, settings, backbone, out, start=start, lookalikes=lookalikes, fresh=not resume,
            command=command_line(),
        )
    _tell(*outcome.notes)
    click.echo(f"wrote {out / 'model.keras'} and {out / 'metrics.json'}")


@main.command()
@path_option("--data", required=True, metavar="DIR", help="train.json, val.json and images/.")
@path_option("--out", required=True, metavar="DIR", help="Folder of this training.")
@path_option("--portraits", metavar="DIR", help="Faces one a picture, for close-ups.")
@path_option("--start", metavar="FILE", help="A detector's .keras to go on from.")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs in all.")
@seed_option("Seed of everything drawn.")
@click.option("--resume/--fresh", default=True, help="Go on where --out stands, or start anew.")
@path_option("--config", metavar="FILE", help="TOML; default train/configs/detector.toml.")
def detector(
    data: Path, out: Path, portraits: Path | None, start: Path | None, epochs: int | None,
    seed: int | None, resume: bool, config: Path | None,
) -> None:
    """Train the face detector on whole pictures."""
    from dataclasses import replace

    from train.data.pictures import broken_report
    from train.data.read import read_split
    from train.detector.config import DEFAULT_CONFIG, DetectorConfig
    from train.detector.train import train_detector
    from train.settings import read_settings

    settings = read_settings(DetectorConfig(), config or DEFAULT_CONFIG)
    if epochs is not None:
        settings = replace(settings, schedule=replace(settings.schedule, epochs=epochs))
    if settings.schedule.epochs < 1:
        raise UsageError(
            f"schedule.epochs is {settings.schedule.epochs}; allowed is 1 or more"
        )
    settings = seeded(settings, seed)
    faces = read_split(portraits, "train") if portraits else ()
    with writing(out):
        metrics = train_detector(
            data, out, settings, portraits=faces, start=start, fresh=not resume,
            command=command_line(),
        )
    _tell(broken_report(metrics["data"]["broken"]))
    click.echo(f"wrote {out / 'model.keras'} and {out / 'metrics.json'}")


@main.command()
@path_option("--model", "models", required=True, multiple=True, metavar="FILE",
              help="A network's .keras; give two or more that went on from the same one.")
@path_option("--data", required=True, metavar="DIR", help="The data set they were trained on.")
@path_option("--out", required=True, metavar="DIR", help="Folder of the average.")
@path_option("--config", metavar="FILE", help="TOML of their training; default as there.")
@path_option("--detector", metavar="FILE", help="Face detector for class folders.")
@seed_option("Seed of their training; default from the metrics.json beside them.")
def average(
    models: tuple[Path, ...], data: Path, out: Path, config: Path | None, detector: Path | None,
    seed: int | None,
) -> None:
    """Average networks that have a common ancestor: one network, and often a better one.

    All are face detectors, or all are mask classifiers.  Class folders, Pascal VOC, one .csv or
    one .json are split as a training with --seed splits them.
    """
    from train.averaging import is_classifier

    if len(models) < 2:
        raise UsageError("one --model has no average; give two or more")
    # Each is asked, so that a damaged one is named before the data are read.
    judging = [is_classifier(model) for model in models]
    if judging[0]:
        notes = _average_classifiers(models, data, out, config, detector, seed)
    else:
        notes = _average_detectors(models, data, out, config)
    _tell(*notes)
    click.echo(f"wrote {out / 'model.keras'} and {out / 'metrics.json'}")


def _average_classifiers(
    models: tuple[Path, ...], data: Path, out: Path, config: Path | None, detector: Path | None,
    seed: int | None,
) -> list[str]:
    """Write the average of the classifiers *models*; return what a person is to know."""
    from train.averaging import seeds_beside
    from train.classifier.average import average_classifiers
    from train.classifier.config import DEFAULT_CONFIG, read_config
    from train.data.folders import detect_in_class_folders
    from train.data.pictures import broken_report
    from train.data.read import has_split, read_face_data

    settings = read_config(config or DEFAULT_CONFIG)
    seeds = seeds_beside(models)
    if seed is None and len(seeds) == 1:
        (seed,) = seeds
    settings = seeded(settings, seed)
    faces = read_face_data(data, detect_in_class_folders(data, detector), seed=settings.seed)
    notes = [*faces.notes, broken_report([*faces.train.broken, *faces.validation.broken])]
    others = sorted(seeds - {settings.seed})
    if others and not has_split(data):
        notes.append(
            f"measured on the side that a training with --seed {settings.seed} keeps back; one "
            f"with {' or '.join(map(str, others))} learnt from some of it: the validation numbers "
            "flatter"
        )
    with writing(out):
        average_classifiers(models, faces, out, settings, command_line())
    return notes


def _average_detectors(
    models: tuple[Path, ...], data: Path, out: Path, config: Path | None
) -> list[str]:
    """Write the average of the detectors *models*; return what a person is to know."""
    from train.data.pictures import broken_report
    from train.detector.average import average_detectors
    from train.detector.config import DEFAULT_CONFIG, DetectorConfig
    from train.settings import read_settings

    shape = read_settings(DetectorConfig(), config or DEFAULT_CONFIG)
    with writing(out):
        metrics = average_detectors(models, data, out, shape, command_line())
    return [broken_report(metrics["validation"]["broken"])]


@main.command()
@path_option("--data", required=True, metavar="DIR", help="Folder with NAME.json and images/.")
@path_option("--out", required=True, metavar="DIR", help="Folder of lookalikes.csv and sheets.")
@path_option("--model", metavar="FILE", help="Default: the released detector.")
@click.option("--split", default="train", show_default=True, help="Which split of --data.")
@click.option(
    "--score", default=0.4, show_default=True, help="Least score that is looked at.",
    type=Number(CURVE_THRESHOLD, 1, max_open=True),
)
def lookalikes(data: Path, out: Path, model: Path | None, split: str, score: float) -> None:
    """List what the detector takes for a face where no label is, for a person to look at.

    In DIR/lookalikes.csv, change *unclear* to *no_face* where there is none, and name the file
    in a configuration's *lookalikes*: training then shows those places, and ignores the others.
    What a list that lies there already says is kept.
    """
    from train.data.coco import read_coco
    from train.data.lookalikes import carried_over, read_lookalikes, write_lookalikes
    from train.data.pictures import broken_report
    from train.detector.mining import draw_finds, find_lookalikes
    from train.evaluate.networks import load_detect

    listed = out.absolute() / "lookalikes.csv"
    detect = load_detect(model or released("face-detector"), score)
    pictures = read_coco(data / f"{split}.json")
    with writing(out):
        if listed.exists():
            # Looking takes long: a list that cannot be kept is told before.
            read_lookalikes(str(listed))
        finds, broken = find_lookalikes(detect, pictures, score, progress)
        # Read only now: a person may have gone on with it meanwhile.
        known = read_lookalikes(str(listed)) if listed.exists() else []
        places = carried_over([find.place for find in finds], known)
        write_lookalikes(listed, places)
        sheets = draw_finds(out, finds)
    looked = len(pictures) - len(broken)
    click.echo(f"{len(finds)} places in {looked} pictures; {len(sheets)} sheets to look at")
    if known:
        click.echo(
            f"kept what was seen in {len(known)} lines; {len(places) - len(finds)} of them were "
            "not found again and stand at the end"
        )
    _tell(broken_report(broken))
    click.echo(f"wrote {out / 'lookalikes.csv'}")


@main.command()
@path_option("--faces", required=True, metavar="DIR", help="val.csv and images/.")
@path_option("--detection", required=True, metavar="DIR", help="val.json and images/.")
@path_option("--out", required=True, metavar="DIR", help="Folder of scores.md and scores/.")
@path_option("--detector", metavar="FILE", help="Default: the released detector.")
@path_option("--classifier", metavar="FILE", help="Default: the released classifier.")
@path_option("--json", "written", metavar="FILE", help="Write every number there too.")
@click.option(
    "--repeats", default=1000, show_default=True, type=click.IntRange(min=0),
    help="Bootstrap resamples for the intervals; 0 for none.",
)
def scores(
    faces: Path, detection: Path, out: Path, detector: Path | None, classifier: Path | None,
    written: Path | None, repeats: int,
) -> None:
    """Measure both networks and write the report with its drawings: DIR/scores.md.

    The same networks and data give the same files, byte for byte.
    """
    from edge.files import write_whole
    from train.evaluate.scores import score_models
    from train.report.files import write_json
    from train.report.scores_charts import draw_scores
    from train.report.scores_markdown import scores_text

    given = {"--detector": detector, "--classifier": classifier}
    words = ["--faces", faces, "--detection", detection, "--out", out]
    words += [word for name, path in given.items() if path for word in (name, path)]
    command = shlex.join(["python", "-m", "train", "scores", *map(str, words)])
    with writing(out / "scores"):
        pass
    measured = score_models(
        detector or released("face-detector"), classifier or released("mask-classifier"),
        faces, detection, repeats, progress,
    )
    try:
        names = draw_scores(out / "scores", measured)
        write_whole(out / "scores.md", scores_text(measured, command, "scores", names))
        if written is not None:
            write_json(written, measured)
    except OSError as error:
        where = error.filename or out
        raise OutputError(f"{where}: cannot be written: {error.strerror or error}") from error
    click.echo(f"wrote {out / 'scores.md'} and {len(names)} drawings in {out / 'scores'}")
    if written is not None:
        click.echo(f"wrote {written}")


def _tell(*notes: str) -> None:
    for note in notes:
        if note:
            click.echo(note)


main.add_command(evaluate)
