"""Fixtures for every room: real, tiny model files."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from uuid import uuid4

import pytest

from edge.modelfile import ModelFile, read_model

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every program that a test sends one.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_state_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every test, and each program that it starts, has a model store of its own or none.

    The tester's own would be used by the tests, and one that a test left would be used by others.
    """
    monkeypatch.setenv(
        "XDG_STATE_HOME", str(tmp_path_factory.getbasetemp() / f"state-{uuid4().hex}")
    )
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


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
