"""What a trained classifier is worth on the faces kept back, and its files."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import DataError, ModelError
from edge.modelfile import LABELS
from edge.vision.interpreter import to_float
from train.classifier.calibration import (
    calibration_report,
    cross_calibrated,
    fit_calibration,
)
from train.classifier.checkpoint import save_model
from train.classifier.config import ClassifierConfig, NetworkConfig
from train.classifier.network import shift_logits
from train.classifier.samples import augmented_sample, plain_sample
from train.data.pictures import LoadedFaces
from train.report.judgement import judge_faces
from train.report.metrics import Classes
from train.report.pictures import draw_report

Logits = npt.NDArray[np.float32]

LIBRARIES = ("keras", "numpy", "tensorflow", "torch", "jax", "opencv-python-headless")
BOOTSTRAP_REPEATS = 1000


@dataclass(frozen=True, slots=True)
class MeasuredFaces:
    """Photographed faces to measure on: *plain* as labelled, *shaken* as a detector cuts them.

    Both are (N, S, S, 3) BGR uint8; *truth* (N,) holds places in ``LABELS``.
    """

    faces: LoadedFaces
    plain: npt.NDArray[np.uint8]
    shaken: npt.NDArray[np.uint8]
    truth: Classes
    groups: list[str]
    sources: list[str]


def measured_faces(validation: LoadedFaces, config: ClassifierConfig) -> MeasuredFaces:
    """Return the photographs of *validation* cut for the network of *config*.

    Raises DataError when all are of a synthetic source.
    """
    faces = real_faces(validation, config.sampling.synthetic)
    records = faces.records
    return MeasuredFaces(
        faces,
        plain_inputs(faces, config),
        jittered_inputs(faces, config),
        np.array([LABELS.index(record.label) for record in records], np.intp),
        [record.group for record in records],
        [record.source for record in records],
    )


def measured_and_saved(
    model: Any,
    faces: MeasuredFaces,
    config: ClassifierConfig,
    out: Path,
    history: tuple[dict[str, float], ...] = (),
) -> dict[str, Any]:
    """Calibrate *model* on *faces*, save it with its pictures in *out*, and return its metrics.

    Offsets of the calibration go into the last layer; the temperature stays a number.
    """
    plain = predict_logits(model, faces.plain)
    shaken = predict_logits(model, faces.shaken)
    truth, groups, sources = faces.truth, faces.groups, faces.sources
    # At the door boxes are a detector's, so both kinds count.
    both, twice = np.concatenate([plain, shaken]), np.concatenate([truth, truth])
    calibration = fit_calibration(both, twice)
    probabilities = calibration.probabilities(plain)
    metrics: dict[str, Any] = {
        "kind": "mask-classifier",
        "labels": list(LABELS),
        "input": _input(config),
        "crop_margin": config.network.crop_margin,
        "config": config.as_dict(),
        "libraries": library_versions(),
        "parameters": int(model.count_params()),
        "calibration": calibration_report(calibration, both, twice, groups * 2),
        "temperature": calibration.temperature,
        "validation": judge_faces(truth, probabilities, groups, sources, BOOTSTRAP_REPEATS),
    }
    for name, measured in (
        ("validation_cross_calibrated", cross_calibrated(plain, truth, groups)),
        ("validation_jittered", calibration.probabilities(shaken)),
    ):
        metrics[name] = judge_faces(truth, measured, groups, sources, repeats=0)
    shift_logits(model, calibration.offsets)
    save_model(model, out / "model.keras")
    margin = config.network.crop_margin
    draw_report(out, history, truth, probabilities, faces.faces, margin)
    return metrics


def file_named(path: Path) -> dict[str, str]:
    """Return the name and the SHA-256 of the file at *path*, as metrics and cards state them.

    Raises ModelError when it cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from error
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest()}


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


def _input(config: ClassifierConfig) -> dict[str, Any]:
    spec = config.network.input
    return {
        "width": spec.width, "height": spec.height, "color": spec.color,
        "mean": spec.mean, "std": spec.std,
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
