"""The average of trained classifiers, calibrated and measured as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train.averaging import averaged
from train.classifier.config import ClassifierConfig
from train.classifier.measure import file_named, measured_and_saved, measured_faces
from train.classifier.network import load_classifier
from train.data.read import FaceData
from train.report.files import write_json


def average_classifiers(
    models: Sequence[Path], data: FaceData, out: Path, config: ClassifierConfig, command: str = ""
) -> dict[str, Any]:
    """Write the average of *models*, ``.keras`` files of one shape, into *out*; return its metrics.

    It is calibrated anew on the validation faces of *data*, and measured as a training is.

    Raises ModelError when a file is no classifier of the size that *config* says, DataError when
    *data* hold no photograph to measure on.
    """
    networks = [load_classifier(path, config.network, config.seed) for path in models]
    faces = measured_faces(data.validation, config)
    out.mkdir(parents=True, exist_ok=True)
    metrics = {
        **measured_and_saved(averaged(networks, models), faces, config, out),
        "average_of": [file_named(path) for path in models],
        "command": command,
        "data": {"checksum": data.checksum, "synthetic": list(config.sampling.synthetic)},
    }
    write_json(out / "metrics.json", metrics)
    return metrics
