"""What is filled into a form, to the same command line that a person would type."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge.errors import DataError, UsageError
from edge.files import write_whole

Network = Literal["classifier", "detector"]
MODEL_NAME = {"classifier": "mask-classifier.int8.tflite", "detector": "face-detector.int8.tflite"}
EVALUATION_NAME = "evaluation.json"
_CORRECTIONS = re.compile(r'^corrections = "[^"]*"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ClassifierForm:
    """What is asked of a classifier training; see ``python -m train classifier --help``."""

    data: Path
    epochs: int = 24
    batch_size: int = 64
    seed: int = 20
    alpha: float = 1.0
    input_size: int = 112
    backbone: Literal["imagenet", "none"] = "imagenet"


@dataclass(frozen=True, slots=True)
class DetectorForm:
    """What is asked of a detector training; see ``python -m train detector --help``."""

    data: Path
    epochs: int = 56
    seed: int = 11


def classifier_command(form: ClassifierForm, out: Path, config: Path | None) -> tuple[str, ...]:
    """Return the command line of *form* behind ``python -m``, that writes into *out*."""
    command = [
        "train", "classifier", "--data", str(form.data), "--out", str(out),
        "--epochs", str(form.epochs), "--batch-size", str(form.batch_size),
        "--seed", str(form.seed), "--alpha", f"{form.alpha:g}",
        "--input-size", str(form.input_size), "--backbone", form.backbone,
    ]
    return (*command, *(("--config", str(config)) if config else ()))


def detector_command(form: DetectorForm, out: Path) -> tuple[str, ...]:
    """Return the command line of *form* behind ``python -m``, that writes into *out*."""
    return (
        "train", "detector", "--data", str(form.data), "--out", str(out),
        "--epochs", str(form.epochs), "--seed", str(form.seed),
    )


def convert_command(
    network: Network, trained: Path, data: Path, out: Path, version: int | None, force: bool
) -> tuple[str, ...]:
    """Return the command that turns ``model.keras`` in the folder *trained* into a model file.

    It is written into the folder *out*, with its card and the report on parity.
    """
    command = [
        "convert", network, "--model", str(trained / "model.keras"), "--data", str(data),
        "--out", str(out / MODEL_NAME[network]), "--report", str(out / "parity"),
    ]
    if version is not None:
        command += ["--model-version", str(version)]
    return (*command, *(("--force",) if force else ()))


def evaluate_command(
    network: Network, model: Path, data: Path, split: str, repeats: int, out: Path,
    seed: int | None = None,
) -> tuple[str, ...]:
    """Return the command that measures *model* on *split* of *data* and writes JSON into *out*.

    *seed* is that of the training, where it decides which faces were kept back; detectors are
    never measured so.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", split):
        raise UsageError(f"split is {split!r}; allowed are letters and digits, such as val")
    command = (
        "train", "evaluate", network, "--model", str(model), "--data", str(data),
        "--split", split, "--repeats", str(repeats), "--json", str(out / EVALUATION_NAME),
    )
    known = seed is not None and network == "classifier"
    return (*command, *(("--seed", str(seed)) if known else ()))


def promote_command(
    model: Path, runs: Path, version: int, notes: Path, evaluation: Path | None, key: str
) -> tuple[str, ...]:
    """Return the command that makes *model* release *version* in the folder *runs*.

    *notes* is a file of Markdown for the card.  *key* names the file with the private key, "" for
    a release without a signature.
    """
    command = [
        "train.studio.promote", "release", "--model", str(model), "--runs", str(runs),
        "--release-version", str(version), "--notes", str(notes),
    ]
    if evaluation is not None:
        command += ["--evaluation", str(evaluation)]
    return (*command, *(("--signing-key", key) if key else ()))


def config_with_corrections(folder: Path, corrections: Sequence[Path], default: Path) -> Path:
    """Write the settings in *default* with all of *corrections* in force into *folder*.

    A training knows one file of corrections; this one is made of several, the later winning.
    Returns the path of the TOML.  Raises DataError where *default* names no corrections.
    """
    from train.studio.relabel import merged_text

    target = folder / "corrections.csv"
    text, found = _CORRECTIONS.subn(
        # A TOML literal string knows no escapes, so that any path stands as it is.
        lambda _: f"corrections = '{target.absolute()}'", default.read_text(encoding="utf-8")
    )
    if found != 1 or "'" in str(target.absolute()):
        raise DataError(f"{default}: corrections cannot be named there; name them by hand")
    write_whole(target, merged_text(corrections))
    write_whole(folder / "config.toml", text)
    return folder / "config.toml"
