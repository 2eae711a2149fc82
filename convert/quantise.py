"""The only module that knows how TensorFlow makes an int8 network.

``tf.lite`` may leave TensorFlow one day; what replaces it then goes in here, behind
:func:`quantise`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError

Floats = npt.NDArray[np.float32]


def load_keras(path: Path) -> Any:
    """Return the Keras model in *path* (``.keras``), without its optimizer.

    Raises ModelError when it is missing, is no Keras file, or Keras runs on another backend
    than TensorFlow, which conversion needs.
    """
    if not path.is_file():
        raise ModelError(f"{path} does not exist; train first with `python -m train`")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet_native_output():
            import keras
    except ImportError as error:
        raise ModelError(
            "conversion needs TensorFlow and Keras; run `pip install '.[train]'`"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"Keras runs on {keras.backend.backend()!r}; conversion needs TensorFlow: set "
            "KERAS_BACKEND=tensorflow (the .keras file is the same for every backend)"
        )
    # Known for either kind of network, or a detector given for a classifier looked damaged.
    from train.detector.network import Upsample

    try:
        return keras.models.load_model(
            path, custom_objects={Upsample.__name__: Upsample}, compile=False
        )
    except Exception as error:  # Keras answers damaged files with a dozen types.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{path} is not a Keras model that can be loaded: {reason}") from error


def output_names(model: Any) -> tuple[str, ...]:
    """Return the names of the *model*'s outputs, in the order :func:`float_function` returns."""
    outputs = model.output
    if isinstance(outputs, Mapping):
        return tuple(outputs)
    return tuple(model.output_names)


def output_shapes(model: Any) -> dict[str, tuple[int | None, ...]]:
    """Return the shape of each of the *model*'s outputs by name, batch first; None where free."""
    names = output_names(model)
    outputs = _listed(model.output, names)
    return {name: tuple(one.shape) for name, one in zip(names, outputs, strict=True)}


def float_function(model: Any) -> Callable[[Floats], dict[str, Floats]]:
    """Return a function from pictures (N, H, W, 3) float32 to the float network's outputs."""
    names = output_names(model)

    def run(images: Floats) -> dict[str, Floats]:
        values = _listed(model(images, training=False), names)
        return {
            name: np.asarray(value, np.float32)
            for name, value in zip(names, values, strict=True)
        }

    return run


def quantise(model: Any, height: int, width: int, calibration: Sequence[Floats]) -> bytes:
    """Return *model* as a fully int8 TensorFlow Lite flatbuffer for [1, height, width, 3].

    *calibration* holds pictures (height, width, 3) float32 as the float network is fed: from
    them the range of every tensor is measured, so they must be like those at the door.
    Weights are quantised per channel, input and outputs are int8, outputs stand in the order
    of :func:`output_names`.

    Raises ModelError when TensorFlow cannot express the network in int8 operators.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    names = output_names(model)

    @tf.function(input_signature=[tf.TensorSpec([1, height, width, 3], tf.float32, name="image")])
    def network(image: Any) -> list[Any]:
        return _listed(model(image, training=False), names)

    def samples() -> Iterator[list[Floats]]:
        for picture in calibration:
            yield [picture[None].astype(np.float32)]

    # Frozen first: with variables left in, converting a Keras 3 model fails on READ_VARIABLE.
    frozen = convert_variables_to_constants_v2(network.get_concrete_function())
    with warnings.catch_warnings(), quiet_native_output():
        warnings.simplefilter("ignore")
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        try:
            return bytes(converter.convert())
        except (ValueError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ModelError(f"TensorFlow cannot make the network int8: {reason}") from error


def converter_version() -> str:
    """Return the name and version of what :func:`quantise` uses."""
    return f"tensorflow {importlib.metadata.version('tensorflow')}"


def _listed(outputs: Any, names: Sequence[str]) -> list[Any]:
    if isinstance(outputs, Mapping):
        return [outputs[name] for name in names]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


@contextlib.contextmanager
def quiet_native_output() -> Iterator[None]:
    """Keep what native libraries print to standard error from the user.

    Only the file descriptor is turned away; the object ``sys.stderr`` stays, because absl's log
    handler keeps the one it was made with.
    """
    sys.stderr.flush()
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
