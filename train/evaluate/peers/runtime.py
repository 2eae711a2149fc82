"""Running a float network of somebody else: a tensor in, named tensors out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError

Floats = npt.NDArray[np.float32]
Tensors = Mapping[str, Floats]
Run = Callable[[npt.NDArray[Any]], Tensors]


def load_tflite(path: Path, threads: int) -> Run:
    """Return what runs the ``.tflite`` at *path* on *threads* CPU threads, with XNNPACK.

    Raises ModelError when the file is missing or no such network, or no runtime is installed.
    """
    run, _ = open_tflite(path, threads)
    return run


def open_tflite(path: Path, threads: int) -> tuple[Run, npt.NDArray[Any]]:
    """Return what :func:`load_tflite` does, and zeros of the shape and type of the input."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise ModelError(
            f"{path.name} needs LiteRT: run `pip install ai-edge-litert` (64-bit systems)"
        ) from error
    content = _content(path)
    try:
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
        # Some outputs have their shape only after a run.
        interpreter.invoke()
    except (ValueError, RuntimeError) as error:
        raise ModelError(f"{path}: is no TFLite network: {_first_line(error)}") from error
    inputs = interpreter.get_input_details()
    if len(inputs) != 1:
        raise ModelError(f"{path}: has {len(inputs)} inputs; a detector with one is needed")
    entry = inputs[0]["index"]
    outputs = {item["name"]: item["index"] for item in interpreter.get_output_details()}

    def run(tensor: npt.NDArray[Any]) -> Tensors:
        interpreter.set_tensor(entry, tensor)
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in outputs.items()}

    return run, np.zeros(inputs[0]["shape"], inputs[0]["dtype"])


def load_onnx(path: Path, threads: int) -> Run:
    """Return what runs the ``.onnx`` at *path*: by ONNX Runtime, or else by OpenCV.

    *threads* is for ONNX Runtime; OpenCV has one number for the whole process
    (``cv2.setNumThreads``).  Raises ModelError when the file is missing or no such network.
    """
    content = _content(path)
    try:
        import onnxruntime
    except ImportError:
        return _opencv(content, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Its warnings are about how the file was exported, which nobody here can change.
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
    # Its exceptions share no base class of their own.
    except Exception as error:
        raise ModelError(f"{path}: is no ONNX network: {_first_line(error)}") from error
    entry = session.get_inputs()[0].name
    names = [output.name for output in session.get_outputs()]

    def run(tensor: npt.NDArray[Any]) -> Tensors:
        return dict(zip(names, session.run(names, {entry: tensor}), strict=True))

    return run


def onnx_runtime() -> str:
    """Return the name of what :func:`load_onnx` uses here."""
    try:
        import onnxruntime
    except ImportError:
        return "OpenCV"
    return f"ONNX Runtime {onnxruntime.__version__}"


def tried(run: Run, example: Floats, path: Path) -> Tensors:
    """Return what *run* gives for *example*, or raise ModelError when it cannot take it."""
    try:
        return run(example)
    # Every runtime has exceptions of its own, and ONNX Runtime's share no base class.
    except Exception as error:
        raise ModelError(
            f"{path}: takes no input {example.shape}: {_first_line(error)}; "
            "is it the network of that name?"
        ) from error


def checked(run: Run, example: Floats, widths: Mapping[int, int], path: Path) -> Run:
    """Return *run*, or raise ModelError when its outputs for *example* are not as expected.

    *widths* maps an output's last dimension to how many rows it must have.
    """
    shapes = {name: values.shape for name, values in tried(run, example, path).items()}
    found = {shape[-1]: shape[-2] for shape in shapes.values() if len(shape) == 3}
    if found != dict(widths):
        wanted = ", ".join(f"(1, {rows}, {width})" for width, rows in widths.items())
        raise ModelError(f"{path}: its outputs are {shapes}; {wanted} are needed under that name")
    return run


def by_width(tensors: Tensors) -> dict[int, Floats]:
    """Return each of *tensors*, (1, N, width), as (N, width) by its width."""
    return {int(values.shape[-1]): values[0] for values in tensors.values()}


def _opencv(content: bytes, path: Path) -> Run:
    import cv2

    try:
        network: Any = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
        names = list(network.getUnconnectedOutLayersNames())
    except cv2.error as error:
        raise ModelError(f"{path}: is no ONNX network: {_first_line(error)}") from error

    def run(tensor: npt.NDArray[Any]) -> Tensors:
        network.setInput(tensor)
        return dict(zip(names, network.forward(names), strict=True))

    return run


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read: {error.strerror or error}; name a .tflite or .onnx file"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
