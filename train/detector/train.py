"""Trains the face detector: data in, ``model.keras`` and what a person wants to see out."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edge.errors import DataError, ModelError
from edge.vision.crop import Image
from train.classifier.checkpoint import save_model
from train.classifier.measure import library_versions
from train.data.coco import read_coco
from train.data.lookalikes import hard_negatives, read_lookalikes, unclear_ignored
from train.data.pictures import read_picture
from train.data.records import FaceRecord, PictureRecord, data_checksum
from train.detector.config import DetectorConfig
from train.detector.feed import ComposedPictures, WholePictures
from train.detector.loop import KerasStep, Step, run_epochs
from train.detector.loss import make_loss
from train.detector.network import build_detector, training_view
from train.detector.predict import keras_detector, load_keras_network
from train.detector.report import draw_detector_report
from train.detector.samples import Floats, Source, seen_from_the_side, source_of
from train.evaluate.pictures import evaluate_pictures
from train.report.files import readable, write_json

PORTRAITS = "portraits"
CURVE_THRESHOLD = 0.02
"""Low enough to draw the whole precision-recall curve."""
BOOTSTRAP_REPEATS = 200
LEAST_THRESHOLD, MOST_THRESHOLD = 0.2, 0.5
"""Bounds of the score threshold.  A tiny validation split must not choose an absurd one, and
one full of distant crowds must not choose one that loses people at the door: a false face is
still judged, tracked and mostly stays unsure, a missed one is not seen at all."""


def train_detector(
    data: Path,
    out: Path,
    config: DetectorConfig,
    *,
    portraits: Sequence[FaceRecord] = (),
    start: Path | None = None,
    fresh: bool = False,
    command: str = "",
    quiet: bool = False,
) -> dict[str, Any]:
    """Train on the COCO data in *data* (``train.json``, ``val.json``); return the metrics.

    *portraits* are faces one a picture, as a faces CSV lists them: they add close-ups.  *start* is
    the ``.keras`` of a detector of the same shape to go on from instead of from nothing.
    Writes ``model.keras``, ``history.csv``, ``metrics.json`` and pictures into *out*.  A
    training that was stopped goes on after its last whole epoch unless *fresh*.

    Raises DataError when the data or the lookalikes break their format, hold no readable
    picture, or are not those that *out* was begun with; ModelError when *start* is no detector
    of that shape; UsageError when the training diverges.
    """
    started = time.monotonic()
    keras.utils.set_random_seed(config.seed)
    # Before the pictures are read, which takes long: a wrong file is told at once.
    detector = build_detector(config.network) if start is None else _started(start, config)
    out.mkdir(parents=True, exist_ok=True)
    lookalikes = read_lookalikes(config.lookalikes) if config.lookalikes else []
    training = read_coco(data / "train.json") + portrait_records(portraits)
    validation = read_coco(data / "val.json")
    checksum = data_checksum([face for record in training + validation for face in record.faces])
    shown = (_files_of(training), _files_of(validation))
    training = unclear_ignored(training, lookalikes)
    negatives = hard_negatives(lookalikes)
    images, broken = load_pictures(training + validation)
    sources = [source_of(record, negatives) for record in training if record.path in images]
    weights = _weights([r for r in training if r.path in images], sources, config)
    held_out = [source_of(record) for record in validation if record.path in images]
    if not sources or not held_out:
        raise DataError(f"{data}: no readable picture is left on one side of the split")

    model = training_view(detector)
    pictures = ComposedPictures(sources, images, weights, config)
    step = _step(model, config, pictures.steps)
    origin = None if start is None else hashlib.sha256(start.read_bytes()).hexdigest()
    known = (checksum, config, origin, *lookalikes)
    state = out / "resume.npz"
    if fresh:
        state.unlink(missing_ok=True)
    held = WholePictures(held_out, images, config)
    rows = run_epochs(
        step,
        epochs=config.schedule.epochs,
        steps=pictures.steps,
        training=pictures.batch,
        validation_steps=held.steps,
        validation=held.batch,
        state=state,
        history=out / "history.csv",
        fingerprint=_digest((*known, *shown)),
        former=_digest(known),
        validate_every=config.schedule.validate_every,
        quiet=quiet,
    )
    step.swap_average()
    save_model(detector, out / "model.keras")
    detect = keras_detector(detector, config.input, CURVE_THRESHOLD, config.nms_iou)
    judged = [record for record in validation if record.path in images]
    measured = evaluate_pictures(detect, judged, BOOTSTRAP_REPEATS)
    metrics = {
        **described(detector, measured, config, command),
        "start": None if start is None else {"file": start.name, "sha256": origin},
        "data": {
            "checksum": checksum,
            "pictures": {"train": len(sources), "val": len(held_out)},
            "hard_negatives": sum(len(source.negatives) for source in sources),
            "broken": [path.name for path in broken],
        },
        "seconds": round(time.monotonic() - started),
        "last_epoch": {name: _known(value) for name, value in rows[-1].items()},
    }
    write_json(out / "metrics.json", metrics)
    draw_detector_report(out, rows, detect, judged, images)
    return metrics


def _files_of(records: Sequence[PictureRecord]) -> list[tuple[str, int]]:
    """Return names and sizes in bytes: a picture without a face is background, and no checksum
    over the faces knows of it."""
    return sorted(
        (record.path.name, record.path.stat().st_size if record.path.is_file() else -1)
        for record in records
    )


def _digest(known: tuple[Any, ...]) -> str:
    return hashlib.sha256(repr(known).encode()).hexdigest()


def _known(value: float) -> float | None:
    # Of an epoch whose row was lost, which JSON has no number for.
    return value if math.isfinite(value) else None


def described(
    detector: keras.Model, measured: dict[str, Any], config: DetectorConfig, command: str
) -> dict[str, Any]:
    """Return what ``metrics.json`` says of any *detector*, however it came about.

    *measured* is what it scores on the validation pictures, *command* made it.
    """
    return {
        "kind": "face-detector",
        "command": command,
        "config": config.as_dict(),
        "decision": {
            "score_threshold": _score_threshold(measured),
            "nms_iou": config.nms_iou,
        },
        "parameters": detector.count_params(),
        "libraries": library_versions(),
        "validation": measured,
    }


def _score_threshold(measured: dict[str, Any]) -> float:
    """Return the score a gate should ask for: one false face in ten pictures in gate range."""
    found = float(measured["ranges"]["gate"]["score_threshold"])
    return round(min(max(found, LEAST_THRESHOLD), MOST_THRESHOLD), 3)


def portrait_records(faces: Sequence[FaceRecord]) -> list[PictureRecord]:
    """Return one picture for each of *faces*, which a faces CSV lists one a picture."""
    return [
        PictureRecord(f.picture, 0, 0, PORTRAITS, f.group, (f,)) for f in faces
    ]


def load_pictures(records: list[PictureRecord]) -> tuple[dict[Path, Image], list[Path]]:
    """Return the pictures of *records* by path, and the paths that could not be decoded."""
    images: dict[Path, Image] = {}
    broken = []
    for record in records:
        image = read_picture(record.path)
        if image is None:
            broken.append(record.path)
        else:
            images[record.path] = image
    return images, broken


def _weights(
    records: list[PictureRecord], sources: list[Source], config: DetectorConfig
) -> Floats:
    profile = config.mixture.profile
    return np.array(
        [
            config.sources.get(record.source, 1.0)
            * (profile if seen_from_the_side(source.scene.landmarks).any() else 1.0)
            for record, source in zip(records, sources, strict=True)
        ],
        np.float32,
    )


def _started(path: Path, config: DetectorConfig) -> keras.Model:
    with readable(path):
        network = load_keras_network(path)
    wanted = build_detector(config.network)
    if [w.shape for w in network.weights] != [w.shape for w in wanted.weights]:
        raise ModelError(f"{path}: is a detector of another shape than {config.network}")
    wanted.set_weights(network.get_weights())
    return wanted


def _step(model: keras.Model, config: DetectorConfig, steps_an_epoch: int) -> Step:
    schedule = config.schedule
    warmup = round(schedule.warmup_epochs * steps_an_epoch)
    steps = schedule.epochs * steps_an_epoch
    loss = make_loss(config.loss)
    if keras.backend.backend() == "torch":
        from train.torch_step import TorchStep, cosine_rate

        rates = cosine_rate(schedule.rate, warmup, steps)
        return TorchStep(model, loss, rates, schedule.weight_decay, schedule.averaging)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=schedule.rate / 100,
        decay_steps=max(1, steps - warmup),
        alpha=0.01,
        warmup_target=schedule.rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(
        rate,
        weight_decay=schedule.weight_decay,
        clipnorm=10.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    model.compile(optimizer=optimizer, loss=loss)
    return KerasStep(model)
