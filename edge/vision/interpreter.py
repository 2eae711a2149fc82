"""A thin, pure adapter around one ``.tflite``: a BGR picture in, named arrays out.

Everything that depends on the network comes from the model: normalisation and channel
order from its card, quantisation from the tensors themselves.  Nothing here is a constant
of maskgate.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.modelfile import InputSpec, ModelFile, read_bytes
from edge.vision.crop import Image

_log = logging.getLogger(__name__)

Raw = tuple[npt.NDArray[Any], float, int]

WITHOUT_XNNPACK = "without XNNPACK"
"""What :attr:`Network.runtime` says of a network that runs on slow kernels."""


def to_float(image: npt.NDArray[np.uint8], spec: InputSpec) -> npt.NDArray[np.float32]:
    """Return what the float network is fed for *image*, (..., H, W, 3) uint8 BGR, as float32.

    Same shape as *image*, channels swapped when *spec* says ``rgb``, and
    ``(pixel - mean) / std``.  Training, calibration and the parity report use this; the
    device uses :func:`quantise_lookup`, which agrees to half a quantisation step.
    """
    ordered = image[..., ::-1] if spec.color == "rgb" else image
    values = ordered.astype(np.float32)
    values -= np.float32(spec.mean)
    values *= np.float32(1 / spec.std)
    return values


def quantise_lookup(
    spec: InputSpec, scale: float, zero_point: int, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """Return the table, shape (256,) of *dtype*, from a pixel to the input tensor's integer.

    ``q = (pixel - mean) / (std * scale) + zero_point``, rounded and held inside *dtype*
    (int8 or uint8); *scale* and *zero_point* are the tensor's own.

    Raises ValueError when *scale* is not above 0: the tensor is not quantised.
    """
    if not scale > 0:
        raise ValueError(f"scale is {scale}; a quantised tensor has a scale above 0")
    pixels = np.arange(256, dtype=np.float64)
    exact = (pixels - spec.mean) / (spec.std * scale) + zero_point
    limits = np.iinfo(np.dtype(dtype))
    # With mean 127.5 every pixel falls half-way between two integers.  The usual rounding to
    # even would map pairs of pixels to one value, and so would a float32 scale a hair off; a
    # hundredth of a step keeps all 256 levels apart.
    return np.clip(np.floor(exact + 0.51), limits.min, limits.max).astype(dtype)


def lookup_shift(table: npt.NDArray[Any]) -> np.uint8 | None:
    """Return what *table* (256,) adds to every pixel, modulo 256; None where it does more.

    With mean and std of 127.5 the integers of the network are the pixels less 128.  Adding is
    some twenty times as fast as looking up, which for a detector's picture is 5 % of its time.
    """
    shifts = table.view(np.uint8) - np.arange(256, dtype=np.uint8)
    return np.uint8(shifts[0]) if (shifts == shifts[0]).all() else None


class Network:
    """One loaded network, ready to run.

    *path* is a ``.tflite`` (its card is not read here) and *spec* says what its input means.
    *threads* is the number of CPU threads: more than one helps the detector on a Pi 4 or 5
    and takes them from everything else there.  With *sha256*, a file whose content has
    changed since :func:`edge.modelfile.read_model` saw it is refused.  *plain_kernels* leaves
    XNNPACK out: slow, and only good for learning how far two correct runtimes may differ.

    :attr:`runtime` says in words what runs it, and whether XNNPACK does the work: LiteRT leaves
    it out without a word where it cannot tell the processor, and rounds otherwise then.

    Raises :class:`ModelError` when the file cannot be loaded, is not quantised to 8 bits, has
    more than one input, or no TensorFlow Lite runtime is installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        spec: InputSpec,
        threads: int = 1,
        *,
        sha256: str | None = None,
        plain_kernels: bool = False,
    ) -> None:
        self._path = Path(path)
        self.spec = spec
        # Loaded from memory, not mapped: a file that is replaced or cut while it is in use
        # would otherwise end the process with SIGBUS.
        content = read_bytes(self._path)
        if sha256 is not None:
            _check_digest(content, sha256, self._path)
        make, runtime, plain = _runtime()
        options = {"experimental_op_resolver_type": plain} if plain_kernels else {}
        try:
            self._interpreter = make(
                model_content=content, num_threads=threads, **options
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason"
            raise ModelError(
                f"{self._path} cannot be loaded by {runtime}: {reason}; copy it again or "
                "convert it again"
            ) from error
        self.runtime = f"{runtime} ({_delegate(self._interpreter)})"
        self._bind()

    @classmethod
    def from_model(cls, model: ModelFile, threads: int = 1) -> Network:
        """Return the network of *model*, refusing a file that changed since it was read."""
        return cls(model.path, model.card.input, threads, sha256=model.sha256)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The input picture's height, width and channels."""
        return self._shape

    def set_shape(self, width: int, height: int) -> None:
        """Resize the input to *width* x *height* pixels; only for a fully convolutional network.

        Costs a new allocation, so do it once per camera and not per frame.  Raises
        :class:`ModelError` when the network cannot take that size.
        """
        if (height, width) == self.shape[:2]:
            return
        old = [int(v) for v in self._input["shape"]]
        index = self._input["index"]
        try:
            self._interpreter.resize_tensor_input(index, [1, height, width, old[3]])
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            self._interpreter.resize_tensor_input(index, old)
            self._interpreter.allocate_tensors()
            self._bind()
            raise ModelError(
                f"{self._path} does not take pictures of {width}x{height}; it was made for "
                f"{self.spec.width}x{self.spec.height}; give multiples of 32 or that size"
            ) from error
        self._bind()

    @property
    def quantisation(self) -> dict[str, tuple[np.dtype[Any], float, int]]:
        """The integers' type, scale and zero point of each output, by tensor name."""
        return {
            name: (dtype, scale, zero_point)
            for name, (_, dtype, scale, zero_point) in self._outputs.items()
        }

    def see(self, image: Image) -> None:
        """Run on *image*, (H, W, 3) uint8 BGR of exactly :attr:`shape`; ValueError otherwise."""
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(
                f"image is {image.shape} {image.dtype}; {self.shape} uint8 is needed"
            )
        self._feed(image)
        self._interpreter.invoke()

    def integers(self, name: str) -> npt.NDArray[Any]:
        """Return the output *name* of the newest run, in the tensor's shape with its leading 1.

        The array is the caller's own.
        """
        values: npt.NDArray[Any] = self._interpreter.get_tensor(self._outputs[name][0])
        return values

    def run_raw(self, image: Image) -> dict[str, Raw]:
        """Return each output on *image* as ``(integers, scale, zero_point)``, by tensor name.

        See :meth:`see` and :meth:`integers`.
        """
        self.see(image)
        return {
            name: (self.integers(name), scale, zero_point)
            for name, (_, _, scale, zero_point) in self._outputs.items()
        }

    def run(self, image: Image) -> dict[str, npt.NDArray[np.float32]]:
        """Return each output as real numbers, float32, by tensor name; see :meth:`run_raw`."""
        return {
            name: dequantise(values, scale, zero_point)
            for name, (values, scale, zero_point) in self.run_raw(image).items()
        }

    def _feed(self, image: Image) -> None:
        # Straight into the tensor: each copy on the way there would push a third of a megabyte
        # of weights out of the cache.  Nothing may refer to it any more when the network runs.
        tensor = self._tensor()[0].view(np.uint8)
        if self.spec.color == "rgb":
            cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=tensor)
        else:
            tensor[:] = image
        if self._shift is None:
            tensor[:] = cv2.LUT(tensor, self._table.view(np.uint8))
        else:
            np.add(tensor, self._shift, out=tensor)

    def _bind(self) -> None:
        inputs = self._interpreter.get_input_details()
        if len(inputs) != 1 or len(inputs[0]["shape"]) != 4 or inputs[0]["shape"][3] != 3:
            shapes = [list(map(int, item["shape"])) for item in inputs]
            raise ModelError(
                f"{self._path} has inputs {shapes}; one picture [1, H, W, 3] is needed"
            )
        self._input: Mapping[str, Any] = inputs[0]
        self._tensor = self._interpreter.tensor(inputs[0]["index"])
        _, height, width, channels = (int(v) for v in inputs[0]["shape"])
        self._shape = height, width, channels
        scale, zero_point = self._quantisation(inputs[0])
        self._table = quantise_lookup(self.spec, scale, zero_point, inputs[0]["dtype"])
        self._shift = lookup_shift(self._table)
        self._outputs = {
            item["name"]: (item["index"], np.dtype(item["dtype"]), *self._quantisation(item))
            for item in self._interpreter.get_output_details()
        }

    def _quantisation(self, details: Mapping[str, Any]) -> tuple[float, int]:
        dtype = np.dtype(details["dtype"])
        scale, zero_point = details["quantization"]
        if dtype not in (np.dtype(np.int8), np.dtype(np.uint8)) or not scale > 0:
            raise ModelError(
                f"{self._path} is not an int8 network: tensor {details['name']!r} is {dtype}; "
                "convert it with `python -m convert`"
            )
        return float(scale), int(zero_point)


def dequantise(
    values: npt.NDArray[Any], scale: float, zero_point: int
) -> npt.NDArray[np.float32]:
    """Return the real numbers, float32, that 8-bit *values* stand for, in the same shape."""
    # Widened first: int8 minus a zero point overflows.
    steps = (values.astype(np.int32) - zero_point).astype(np.float32)
    return np.asarray(steps * np.float32(scale), np.float32)


def every_integer(dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return all 256 integers of *dtype* (int8 or uint8), each where it points to as an index.

    The negative ones are at the end.  What is worked out for each of these once is a table that
    can be looked into by a tensor's values as they are.
    """
    return np.arange(256, dtype=np.uint8).view(dtype)


def _delegate(interpreter: Any) -> str:
    """Return in words whether XNNPACK took over a part of *interpreter*'s graph."""
    # No public call tells.  XNNPACK is the only delegate that is applied unasked.
    look = getattr(interpreter, "_get_ops_details", None)
    if look is None:
        return "XNNPACK unknown"
    return "XNNPACK" if any(op["op_name"] == "DELEGATE" for op in look()) else WITHOUT_XNNPACK


def _check_digest(content: bytes, sha256: str, path: Path) -> None:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(f"{path} changed while it was being loaded; start again")


def _runtime() -> tuple[Any, str, Any]:
    # Imported here, not at the top: training uses to_float on machines without a runtime.
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError:
        pass
    else:
        runtime = f"ai-edge-litert {_release('ai-edge-litert')}"
        return Interpreter, runtime, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        from tflite_runtime.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise ModelError(
            "no TensorFlow Lite runtime is installed; run `pip install ai-edge-litert` "
            "(64-bit systems, Python 3.10 to 3.13)"
        ) from error
    runtime = f"tflite-runtime {_release('tflite-runtime')}"
    _log.warning(
        "ai-edge-litert is not installed; using %s, which runs int8 networks about twenty "
        "times slower; run `pip install ai-edge-litert`", runtime,
    )
    return Interpreter, runtime, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def _release(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
