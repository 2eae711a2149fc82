"""The classifier training: head first, then everything at a lower rate."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edge.errors import DataError, UsageError
from edge.modelfile import LABELS
from edge.vision.classifier import softmax
from train.classifier.checkpoint import (
    Progress,
    forget,
    load_checkpoint,
    load_kept,
    refuse_divergence,
    save_checkpoint,
    save_model,
)
from train.classifier.config import ClassifierConfig
from train.classifier.feed import TrainingFeed, batches_ahead
from train.classifier.measure import (
    MeasuredFaces,
    file_named,
    measured_and_saved,
    measured_faces,
    predict_logits,
)
from train.classifier.network import build_classifier, freeze_backbone, load_classifier
from train.data.corrections import FOLDER, corrected, read_corrections
from train.data.lookalikes import no_faces, read_lookalikes
from train.data.pictures import LoadedFaces, broken_report, load_faces
from train.data.read import FaceData
from train.data.records import data_checksum
from train.report.files import readable, write_json, write_rows
from train.report.judgement import judge_faces

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
    start: Path | None = None,
    lookalikes: Path | None = None,
    fresh: bool = False,
    command: str = "",
    verbose: bool | None = None,
) -> Outcome:
    """Train on *data* and write ``model.keras``, metrics, history and pictures into *out*.

    *start* is a trained classifier of the same shape to go on from, in place of *backbone*; no
    epoch is spent on its head alone.  *lookalikes* is the folder of the pictures with the places
    that are no face; without it none is shown.
    A training that was interrupted goes on after its last whole epoch; *fresh* starts anew.
    *verbose* shows progress bars; by default where standard error is a terminal.

    Raises DataError when *out* holds a damaged training, or one of other data or settings;
    ModelError when *start* is no classifier of the size that *config* says; UsageError when the
    training diverges, with what was trained before being kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint"
    if fresh:
        forget(checkpoint)
    checkpoint.mkdir(exist_ok=True)
    data = _with_lookalikes(_put_right(data, config), config, lookalikes)
    if start is not None:
        config = replace(config, schedule=replace(config.schedule, head_epochs=0))
        backbone = file_named(start)["sha256"]
    fingerprint = _fingerprint(data.checksum, config, backbone)
    faces = measured_faces(data.validation, config)
    loaded = load_checkpoint(checkpoint, fingerprint)
    if loaded is None:
        progress = Progress(0, fingerprint)
        if start is None:
            model = build_classifier(config.network, backbone, config.seed)
        else:
            with readable(start):
                model = load_classifier(start, config.network, config.seed)
    else:
        model, progress = loaded
        # A power cut may have come between the checkpoint and the history beside it.
        _write_history(out, progress.history)
        print(f"resuming after epoch {progress.epochs} of {config.schedule.epochs}", flush=True)
    for epoch in range(progress.epochs, config.schedule.epochs):
        feed = TrainingFeed(data.train, config, epoch)
        if epoch == 0 or epoch == config.schedule.head_epochs:
            _compile(model, config, len(feed), head=epoch < config.schedule.head_epochs)
        row, learnt = _one_epoch(model, feed, epoch, config, verbose)
        refuse_divergence(epoch + 1, [row["loss"]], learnt)
        row |= _validated(model, faces)
        print("  ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
        # The averaged weights are what is measured and kept; learning goes on from the others.
        save_model(model, checkpoint / AVERAGED)
        model.set_weights(learnt)
        progress = replace(progress, epochs=epoch + 1, history=(*progress.history, row))
        save_checkpoint(checkpoint, model, progress)
        _write_history(out, progress.history)
    model = load_kept(checkpoint / AVERAGED, compile=False)
    origin = {"backbone": Path(backbone).name} if start is None else {"start": file_named(start)}
    metrics = {
        **measured_and_saved(model, faces, config, out, progress.history),
        "seed": config.seed,
        **origin,
        "command": command,
        "data": _counts(data, config),
        "seconds": sum(row["seconds"] for row in progress.history),
    }
    write_json(out / "metrics.json", metrics)
    broken = broken_report([*data.train.broken, *data.validation.broken])
    return Outcome(metrics, tuple(note for note in (*data.notes, broken) if note))


def _put_right(data: FaceData, config: ClassifierConfig) -> FaceData:
    """Return *data* with the training labels that a person corrected; validation stays as given."""
    if not config.sampling.corrections:
        return data
    corrections = read_corrections(FOLDER / config.sampling.corrections)
    records, note = corrected(data.train.records, corrections, data.validation.records)
    if not records:
        raise DataError(f"{config.sampling.corrections} leaves no training face")
    return replace(
        data,
        train=replace(data.train, records=records),
        checksum=data_checksum([*records, *data.validation.records]),
        notes=(*data.notes, note),
    )


def _with_lookalikes(data: FaceData, config: ClassifierConfig, folder: Path | None) -> FaceData:
    """Return *data* with the places in the pictures of *folder* that are no face to train on."""
    if folder is None:
        return data
    if not config.sampling.lookalikes:
        raise UsageError("--lookalikes: the configuration names no list; set sampling.lookalikes")
    places = read_lookalikes(config.sampling.lookalikes)
    records = no_faces(folder, places)
    if not records:
        raise DataError(f"{folder}: holds no picture that {config.sampling.lookalikes} lists")
    shown = load_faces(records)
    train = LoadedFaces(
        [*data.train.records, *shown.records],
        data.train.pictures | shown.pictures,
        (*data.train.broken, *shown.broken),
    )
    checksum = data_checksum([*train.records, *data.validation.records])
    note = f"{len(shown.records)} places that are no face are shown too"
    return replace(data, train=train, checksum=checksum, notes=(*data.notes, note))


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


def _one_epoch(
    model: Any, feed: TrainingFeed, epoch: int, config: ClassifierConfig, verbose: bool | None
) -> tuple[dict[str, float], list[npt.NDArray[np.floating]]]:
    """Return what an epoch was like, and the weights as learnt; *model* is left their average.

    Steps are taken one by one: when ``fit`` ends, TensorFlow's data pipeline waits up to a
    minute for a thread of its own.
    """
    started = time.monotonic()
    title = f"epoch {epoch + 1}/{config.schedule.epochs}"
    hidden = None if verbose is None else not verbose
    rows = []
    with tqdm(total=len(feed), desc=title, unit="batch", disable=hidden, leave=False) as bar:
        for inputs, shares, weights in batches_ahead(feed):
            rows.append(model.train_on_batch(inputs, shares, weights, return_dict=True))
            bar.update()
            bar.set_postfix({name: f"{float(value):.3f}" for name, value in rows[-1].items()})
    learnt = model.get_weights()
    model.optimizer.finalize_variable_values(model.trainable_weights)
    row = {"epoch": epoch + 1, "seconds": time.monotonic() - started}
    row |= {name: float(np.mean([float(row[name]) for row in rows])) for name in rows[0]}
    row["rate"] = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    return row, learnt


def _validated(model: Any, faces: MeasuredFaces) -> dict[str, float]:
    probabilities = softmax(predict_logits(model, faces.plain), 1.0).astype(np.float64)
    judged = judge_faces(faces.truth, probabilities, faces.groups, faces.sources, repeats=0)
    names = (
        "accuracy", "with_without_balanced_accuracy", "with_without_balanced_accuracy_of_three",
        "incorrect_recall", "incorrect_precision",
    )
    row = {f"val_{name}": judged[name]["value"] for name in names}
    row["val_loss"] = judged["log_loss"]
    return {name: float(value) for name, value in row.items() if value is not None}


def _write_history(out: Path, history: tuple[dict[str, float], ...]) -> None:
    write_json(out / "history.json", list(history))
    write_rows(out / "history.csv", history)


def _fingerprint(checksum: str, config: ClassifierConfig, backbone: str) -> str:
    described = json.dumps([checksum, config.as_dict(), Path(backbone).name], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()


def _counts(data: FaceData, config: ClassifierConfig) -> dict[str, Any]:
    def count(faces: LoadedFaces) -> dict[str, dict[str, int]]:
        table: dict[str, dict[str, int]] = {}
        for record in faces.records:
            row = table.setdefault(record.source or "unnamed", dict.fromkeys(LABELS, 0))
            row[record.label] = row.get(record.label, 0) + 1
        return table

    return {
        "checksum": data.checksum,
        "train": count(data.train),
        "validation": count(data.validation),
        "synthetic": list(config.sampling.synthetic),
        "broken": len(data.train.broken) + len(data.validation.broken),
    }
