"""Data sets of cartoon faces, and the real one where it is present."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.making import face_rows, write_csv

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def faces_folder(tmp_path: Path) -> Path:
    """A faces data set: 24 cartoon faces to train on, 12 to validate on."""
    write_csv(tmp_path / "train.csv", face_rows(tmp_path, 24))
    write_csv(tmp_path / "val.csv", face_rows(tmp_path, 12, first=100))
    return tmp_path


@pytest.fixture
def shared_faces() -> Path:
    """The real faces data set; skips where it is not."""
    if not (SHARED / "faces" / "val.csv").is_file():
        pytest.skip("../shared/data/faces is not on this machine")
    return SHARED / "faces"


@pytest.fixture
def shared_detection() -> Path:
    """The real detection data set; skips where it is not."""
    if not (SHARED / "detection" / "val.json").is_file():
        pytest.skip("../shared/data/detection is not on this machine")
    return SHARED / "detection"


@pytest.fixture
def untraced():
    """Lets TensorFlow run a few steps without tracing them first, which takes far longer."""
    import keras

    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow

    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)
