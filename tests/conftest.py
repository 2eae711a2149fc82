"""Fixtures for every room: real, tiny model files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge.modelfile import ModelFile, read_model

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def classifier_file(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    """A mask classifier that answers by colour; blue is a mask, green none, red incorrect."""
    return _written(tmp_path_factory.mktemp("models"), "mask-classifier")


@pytest.fixture(scope="session")
def detector_file(tmp_path_factory: pytest.TempPathFactory) -> ModelFile:
    """An untrained face detector."""
    return _written(tmp_path_factory.mktemp("models"), "face-detector")


def _written(folder: Path, kind: str) -> ModelFile:
    from tests.networks import model_content

    path = folder / f"{kind}.tflite"
    path.write_bytes(model_content(kind))
    return read_model(path)
