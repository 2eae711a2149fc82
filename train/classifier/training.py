"""The classifier training: head first, then everything at a lower rate."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edge.errors import DataError
from edge.modelfile import LABELS
from edge.vision.classifier import softmax
from edge.vision.interpreter import to_float
from train.classifier.calibration import (
    calibration_report,
    cross_calibrated,
    fit_calibration,
)
from train.classifier.checkpoint import (
    Progress,
    forget,
    load_checkpoint,
    save_checkpoint,
    save_model,
)
from train.classifier.config import ClassifierConfig, NetworkConfig
from train.classifier.feed import TrainingFeed
from train.classifier.network import build_classifier, freeze_backbone, shift_logits
from train.classifier.samples import augmented_sample, plain_sample
from train.data.corrections import FOLDER, corrected, read_corrections
from train.data.pictures import LoadedFaces, broken_report
from train.data.read import FaceData
from train.data.records import data_checksum
from train.report.files import write_json, write_rows
from train.report.judgement import judge_faces
from train.report.pictures import draw_report

Logits = npt.NDArray[np.float32]

LIBRARIES = ("keras", "numpy", "tensorflow", "torch", "jax", "opencv-python-headless")
BOOTSTRAP_REPEATS = 1000
AVERAGED = "averaged.keras"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a finished training says: the *metrics* it wrote, and *notes* for the person."""

    metrics: dict[str, Any]
    notes: tuple[str, ...]


def train_classifier(
    data: FaceData,
    config: ClassifierConfig,
    backbone: str,
    out: Path,
    *,
    fresh: bool = False,
    command: str = "",
    verbose: bool | None = None,
) -> Outcome:
    """Train on *data* and write ``model.keras``, metrics, history and pictures into *out*.

    A training that was interrupted goes on after its last whole epoch; *fresh* starts anew.
    *verbose* shows progress bars; by default where standard error is a terminal.

    Raises DataError when *out* holds a training of other data or settings.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint"
    if fresh:
        forget(checkpoint)
    checkpoint.mkdir(exist_ok=True)
    data = _put_right(data, config)
    fingerprint = _fingerprint(data.checksum, config, backbone)
    validation = real_faces(data.validation, config.sampling.synthetic)
    truth, groups, sources = _described(validation)
    inputs = plain_inputs(validation, config)
    loaded = load_checkpoint(checkpoint, fingerprint)
    if loaded is None:
        model, progress = build_classifier(config.network, backbone, config.seed), Progress(
            0, fingerprint
        )
    else:
        model, progress = loaded
        print(f"resuming after epoch {progress.epochs} of {config.schedule.epochs}", flush=True)
    for epoch in range(progress.epochs, config.schedule.epochs):
        feed = TrainingFeed(data.train, config, epoch)
        if epoch == 0 or epoch == config.schedule.head_epochs:
            _compile(model, config, len(feed), head=epoch < config.schedule.head_epochs)
        row, learnt = _one_epoch(model, feed, epoch, config, verbose)
        row |= _validated(model, inputs, truth, groups, sources)
        print("  ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
        # The averaged weights are what is measured and kept; learning goes on from the others.
        save_model(model, checkpoint / AVERAGED)
        model.set_weights(learnt)
        progress = replace(progress, epochs=epoch + 1, history=(*progress.history, row))
        save_checkpoint(checkpoint, model, progress)
        _write_history(out, progress.history)
    model = keras.saving.load_model(checkpoint / AVERAGED, compile=False)
    metrics: dict[str, Any] = {
        "kind": "mask-classifier",
        "labels": list(LABELS),
        "input": _input(config),
        "crop_margin": config.network.crop_margin,
        "config": config.as_dict(),
        "seed": config.seed,
        "backbone": Path(backbone).name,
        "command": command,
        "data": _counts(data, config),
        "libraries": library_versions(),
        "parameters": int(model.count_params()),
        "seconds": sum(row["seconds"] for row in progress.history),
    }
    plain = predict_logits(model, inputs)
    shaken = predict_logits(model, jittered_inputs(validation, config))
    # At the door boxes are a detector's, so both kinds count.
    both, twice = np.concatenate([plain, shaken]), np.concatenate([truth, truth])
    calibration = fit_calibration(both, twice)
    metrics["calibration"] = calibration_report(calibration, both, twice, groups * 2)
    metrics["temperature"] = calibration.temperature
    probabilities = calibration.probabilities(plain)
    metrics["validation"] = judge_faces(truth, probabilities, groups, sources, BOOTSTRAP_REPEATS)
    for name, measured in (
        ("validation_cross_calibrated", cross_calibrated(plain, truth, groups)),
        ("validation_jittered", calibration.probabilities(shaken)),
    ):
        metrics[name] = judge_faces(truth, measured, groups, sources, repeats=0)
    shift_logits(model, calibration.offsets)
    save_model(model, out / "model.keras")
    write_json(out / "metrics.json", metrics)
    draw_report(out, progress.history, truth, probabilities, validation, config.network.crop_margin)
    broken = broken_report([*data.train.broken, *data.validation.broken])
    return Outcome(metrics, tuple(note for note in (*data.notes, broken) if note))


def _put_right(data: FaceData, config: ClassifierConfig) -> FaceData:
    """Return *data* with the training labels that a person corrected; validation stays as given."""
    if not config.sampling.corrections:
        return data
    corrections = read_corrections(FOLDER / config.sampling.corrections)
    records, note = corrected(data.train.records, corrections)
    if not records:
        raise DataError(f"{config.sampling.corrections} leaves no training face")
    return replace(
        data,
        train=replace(data.train, records=records),
        checksum=data_checksum([*records, *data.validation.records]),
        notes=(*data.notes, note),
    )


def real_faces(faces: LoadedFaces, synthetic: tuple[str, ...]) -> LoadedFaces:
    """Return *faces* without those of *synthetic* sources, which are in no reported number.

    Raises DataError when none is left.
    """
    records = [record for record in faces.records if record.source not in synthetic]
    if not records:
        raise DataError("no photograph is left to validate on; all are of a synthetic source")
    return replace(faces, records=records)


def plain_inputs(faces: LoadedFaces, config: ClassifierConfig) -> npt.NDArray[np.uint8]:
    """Return the faces as labelled, (N, S, S, 3) BGR uint8."""
    margin, size = config.network.crop_margin, config.network.input_size
    return np.stack(
        [plain_sample(faces.picture(r), r, margin=margin, size=size) for r in faces.records]
    )


def jittered_inputs(faces: LoadedFaces, config: ClassifierConfig) -> npt.NDArray[np.uint8]:
    """Return the faces cut as a detector misses them, else unchanged, (N, S, S, 3) BGR uint8."""
    steady = replace(
        config.augmentation, painted=0.0, occluded=0.0, flip=0.0, rotate=0.0, far=0.0, camera=0.0
    )
    return np.stack(
        [
            augmented_sample(
                faces.picture(record), record, steady, np.random.default_rng([0, place]),
                margin=config.network.crop_margin, size=config.network.input_size,
            )[0]
            for place, record in enumerate(faces.records)
        ]
    )


def predict_logits(model: Any, images: npt.NDArray[np.uint8], batch: int = 64) -> Logits:
    """Return the logits (N, 3) float32 of *images* (N, S, S, 3) BGR uint8."""
    spec = _spec(model)
    parts = [
        keras.ops.convert_to_numpy(model(to_float(images[i : i + batch], spec), training=False))
        for i in range(0, len(images), batch)
    ]
    return np.concatenate(parts).astype(np.float32)


def _spec(model: Any) -> Any:
    return NetworkConfig(input_size=int(model.input_shape[1])).input


def _compile(model: Any, config: ClassifierConfig, steps: int, *, head: bool) -> None:
    schedule = config.schedule
    freeze_backbone(model, frozen=head)
    rate: Any = schedule.head_rate
    if not head:
        warmup = round(schedule.warmup_epochs * steps)
        total = (schedule.epochs - schedule.head_epochs) * steps
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=schedule.rate / 20,
            warmup_target=schedule.rate,
            warmup_steps=min(warmup, total - 1),
            decay_steps=max(1, total - warmup),
            alpha=0.005,
        )
    optimizer = keras.optimizers.AdamW(
        rate,
        weight_decay=schedule.weight_decay,
        use_ema=not head and schedule.ema_momentum > 0,
        ema_momentum=schedule.ema_momentum,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=schedule.label_smoothing
        ),
        weighted_metrics=["accuracy"],
        jit_compile=False,
    )


class _Learnt(keras.callbacks.Callback):  # type: ignore[misc]
    """Keeps the weights as learnt, before Keras puts their average in place."""

    weights: list[npt.NDArray[np.floating]]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.weights = self.model.get_weights()


class _Bar(keras.callbacks.Callback):  # type: ignore[misc]
    """A progress bar that knows how many epochs there are in all."""

    def __init__(self, bar: Any) -> None:
        super().__init__()
        self._bar = bar

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update()
        if logs:
            self._bar.set_postfix({name: f"{float(value):.3f}" for name, value in logs.items()})


def _one_epoch(
    model: Any, feed: TrainingFeed, epoch: int, config: ClassifierConfig, verbose: bool | None
) -> tuple[dict[str, float], list[npt.NDArray[np.floating]]]:
    started = time.monotonic()
    learnt = _Learnt()
    title = f"epoch {epoch + 1}/{config.schedule.epochs}"
    hidden = None if verbose is None else not verbose
    with tqdm(total=len(feed), desc=title, unit="batch", disable=hidden, leave=False) as bar:
        fitted = model.fit(
            feed,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
            callbacks=[learnt, _Bar(bar)],
        )
    row = {"epoch": epoch + 1, "seconds": time.monotonic() - started}
    row |= {name: float(values[-1]) for name, values in fitted.history.items()}
    row["rate"] = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    return row, learnt.weights


def _validated(
    model: Any, inputs: Any, truth: Any, groups: list[str], sources: list[str]
) -> dict[str, float]:
    probabilities = softmax(predict_logits(model, inputs), 1.0).astype(np.float64)
    judged = judge_faces(truth, probabilities, groups, sources, repeats=0)
    names = (
        "accuracy", "with_without_balanced_accuracy", "with_without_balanced_accuracy_of_three",
        "incorrect_recall", "incorrect_precision",
    )
    row = {f"val_{name}": judged[name]["value"] for name in names}
    row["val_loss"] = judged["log_loss"]
    return {name: float(value) for name, value in row.items() if value is not None}


def _described(faces: LoadedFaces) -> tuple[npt.NDArray[np.intp], list[str], list[str]]:
    records = faces.records
    truth = np.array([LABELS.index(record.label) for record in records], np.intp)
    return truth, [record.group for record in records], [record.source for record in records]


def _write_history(out: Path, history: tuple[dict[str, float], ...]) -> None:
    write_json(out / "history.json", list(history))
    write_rows(out / "history.csv", history)


def _fingerprint(checksum: str, config: ClassifierConfig, backbone: str) -> str:
    described = json.dumps([checksum, config.as_dict(), Path(backbone).name], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def _input(config: ClassifierConfig) -> dict[str, Any]:
    spec = config.network.input
    return {
        "width": spec.width, "height": spec.height, "color": spec.color,
        "mean": spec.mean, "std": spec.std,
    }


def _counts(data: FaceData, config: ClassifierConfig) -> dict[str, Any]:
    def count(faces: LoadedFaces) -> dict[str, dict[str, int]]:
        table: dict[str, dict[str, int]] = {}
        for record in faces.records:
            row = table.setdefault(record.source or "unnamed", dict.fromkeys(LABELS, 0))
            row[record.label] += 1
        return table

    return {
        "checksum": data.checksum,
        "train": count(data.train),
        "validation": count(data.validation),
        "synthetic": list(config.sampling.synthetic),
        "broken": len(data.train.broken) + len(data.validation.broken),
    }


def library_versions() -> dict[str, str]:
    """Return the versions of Python, the Keras backend and the libraries a training rests on."""
    found = {"python": platform.python_version(), "keras_backend": keras.backend.backend()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
