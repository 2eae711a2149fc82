"""The face detector's network: small, anchor-free, and made of what int8 runtimes do fast.

Plain and depthwise convolutions, ReLU6, add, concatenation and depth-to-space: no custom
operator, and nothing that fixes the size of the input, so one file serves cameras of any
shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from edge.vision.detector import LANDMARKS, STRIDES

SCORE_PRIOR = 0.01
"""Score before training, so that the many empty cells do not drown the first steps (Lin et al.,
"Focal Loss for Dense Object Detection", 2017, section 3.3)."""


@dataclass(frozen=True, slots=True)
class DetectorShape:
    """How wide and how deep the detector is.

    *widths* are the channels at strides 2, 4, 8, 16 and 32; *depths* the residual blocks at
    strides 8, 16 and 32; *neck* the channels after the three scales are merged.  Time on the
    device grows with the square of the widths and in proportion to the depths.
    """

    widths: tuple[int, int, int, int, int] = (16, 32, 64, 128, 160)
    depths: tuple[int, int, int] = (2, 3, 3)
    neck: int = 64


@keras.saving.register_keras_serializable(package="maskgate")
class Upsample(layers.Layer):
    """Nearest-neighbour upsampling by two that does not fix the picture's size.

    Resize operators in TFLite carry the target size as a constant; four copies and a
    depth-to-space carry none, and XNNPACK runs them in int8.  Other backends than
    TensorFlow only train, and repeat rows and columns, which is the same function.
    """

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Return *inputs* (N, H, W, C) as (N, 2H, 2W, C)."""
        if keras.backend.backend() == "tensorflow":
            # keras.ops has a depth_to_space only since Keras 3.14, which needs Python 3.11.
            import tensorflow

            return tensorflow.nn.depth_to_space(tensorflow.concat([inputs] * 4, -1), 2)
        return keras.ops.repeat(keras.ops.repeat(inputs, 2, axis=1), 2, axis=2)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of what :meth:`call` gives for an input of *shape*."""
        batch, height, width, channels = shape
        return (
            batch,
            None if height is None else 2 * height,
            None if width is None else 2 * width,
            channels,
        )


def build_detector(shape: DetectorShape | None = None) -> keras.Model:
    """Return an untrained detector: input (N, H, W, 3) float in [-1, 1], H and W multiples of 32.

    Outputs, by name, for each stride s of 8, 16, 32: ``score{s}`` (N, H/s, W/s, 1) logits,
    ``box{s}`` (.., 4) and ``landmark{s}`` (.., 10); :mod:`edge.vision.detector` says what
    they mean.
    """
    shape = shape or DetectorShape()
    stem, quarter, *stages = shape.widths
    inputs = keras.Input((None, None, 3), name="image")
    x = _convolution(inputs, stem, size=3, stride=2)
    x = _separable(x, quarter, stride=2)
    x = _residual(x)
    scales = []
    # Large kernels where cells are few: at stride 32 a face may fill the whole picture.
    for width, depth, kernel in zip(stages, shape.depths, (3, 3, 5), strict=True):
        x = _separable(x, width, stride=2)
        for _ in range(depth):
            x = _residual(x, kernel)
        scales.append(x)
    merged = [_convolution(scales[-1], shape.neck, size=1)]
    for finer in reversed(scales[:-1]):
        lateral = _convolution(finer, shape.neck, size=1, activate=False)
        joined = layers.Add()([lateral, Upsample()(merged[0])])
        merged.insert(0, _residual(layers.ReLU(6.0)(joined)))
    outputs: dict[str, keras.KerasTensor] = {}
    prior = keras.initializers.Constant(-keras.ops.log((1 - SCORE_PRIOR) / SCORE_PRIOR))
    for stride, features in zip(STRIDES, merged, strict=True):
        head = _residual(features)
        outputs[f"score{stride}"] = layers.Conv2D(
            1, 1, bias_initializer=prior, name=f"score{stride}"
        )(head)
        outputs[f"box{stride}"] = layers.Conv2D(4, 1, name=f"box{stride}")(head)
        outputs[f"landmark{stride}"] = layers.Conv2D(
            2 * LANDMARKS, 1, name=f"landmark{stride}"
        )(head)
    return keras.Model(inputs, outputs, name="face_detector")


def training_view(detector: keras.Model) -> keras.Model:
    """Return a model that shares *detector*'s weights and packs its outputs as (N, cells, 15).

    Cells come stride 8 first, row by row; columns are score, box (4), landmarks (10).
    """
    packed = []
    for stride in STRIDES:
        parts = [detector.output[f"{kind}{stride}"] for kind in ("score", "box", "landmark")]
        columns = sum(part.shape[-1] for part in parts)
        packed.append(layers.Reshape((-1, columns))(layers.Concatenate()(parts)))
    return keras.Model(detector.input, layers.Concatenate(axis=1)(packed))


def _convolution(
    x: keras.KerasTensor, width: int, *, size: int, stride: int = 1, activate: bool = True
) -> keras.KerasTensor:
    x = layers.Conv2D(width, size, stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.97)(x)
    return layers.ReLU(6.0)(x) if activate else x


def _depthwise(x: keras.KerasTensor, *, size: int, stride: int = 1) -> keras.KerasTensor:
    x = layers.DepthwiseConv2D(size, stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.97)(x)
    return layers.ReLU(6.0)(x)


def _separable(x: keras.KerasTensor, width: int, *, stride: int) -> keras.KerasTensor:
    return _convolution(_depthwise(x, size=3, stride=stride), width, size=1)


def _residual(x: keras.KerasTensor, size: int = 3) -> keras.KerasTensor:
    y = _convolution(_depthwise(x, size=size), x.shape[-1], size=1, activate=False)
    return layers.ReLU(6.0)(layers.Add()([x, y]))
