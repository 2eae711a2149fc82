"""The face detector: a picture in, faces with boxes, scores and five landmarks out.

The network is fully convolutional and anchor-free.  At strides 8, 16 and 32 every cell
gives a score logit, a box ``dx, dy, log w, log h`` and five landmark offsets, all in units of
its stride and relative to the cell's centre.  :func:`decode_cells` is that arithmetic, used
by training, evaluation and the device alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.modelfile import ModelFile
from edge.vision.crop import Image
from edge.vision.geometry import Boxes, clip_boxes, no_boxes, non_maximum_suppression
from edge.vision.interpreter import Network

STRIDES = (8, 16, 32)
LANDMARKS = 5
PADDING = 127
"""Grey level beside a letterboxed picture: the middle of the range, so int8 reads it as 0."""

MOST_CANDIDATES = 256
"""Cells decoded per stride; a crowd of 60 uses about 200, and suppression is quadratic."""

Floats = npt.NDArray[np.float32]
RawOutputs = Mapping[str, tuple[npt.NDArray[Any], float, int]]


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces found in one picture, best score first.

    *boxes* (N, 4), *scores* (N,) from 0 to 1 and *landmarks* (N, 5, 2: right eye, left eye,
    nose, right and left corner of the mouth) are float32, in pixels of the picture.
    """

    boxes: Boxes
    scores: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def none(cls) -> Faces:
        """Return what a picture without a face gives: arrays of length 0."""
        return cls(no_boxes(), np.zeros(0, np.float32), np.zeros((0, LANDMARKS, 2), np.float32))


def input_shape(width: int, height: int, pixels: int) -> tuple[int, int]:
    """Return the (width, height) at which the network sees a *width* x *height* picture best.

    Both are multiples of the coarsest stride, their product is at most *pixels*, and the
    picture, letterboxed into them, keeps the largest possible scale.  So a 4:3 camera, a
    16:9 camera and a portrait photograph all cost the same and none pays for padding.

    Raises ValueError when *pixels* holds not even one cell.
    """
    step = STRIDES[-1]
    if pixels < step * step:
        raise ValueError(f"{pixels} input pixels are too few; at least {step * step} are needed")
    best = (0.0, 0, (step, step))
    for across in range(step, pixels // step + 1, step):
        down = pixels // across // step * step
        scale = min(across / width, down / height)
        # The smallest height that loses nothing: padding costs time and finds no face.
        down = max(step, min(down, int(np.ceil(height * scale / step)) * step))
        best = max(best, (scale, -across * down, (across, down)))
    return best[2]


def letterbox(image: Image, width: int, height: int) -> tuple[Image, float]:
    """Return *image* fitted into (height, width, 3) uint8, and the scale that was applied.

    The picture keeps its proportions and sits at the top left; the rest is :data:`PADDING`.
    """
    rows, columns = image.shape[:2]
    scale = min(width / columns, height / rows)
    across = min(width, max(1, round(columns * scale)))
    down = min(height, max(1, round(rows * scale)))
    # Linear interpolation reads 2 x 2 pixels: below half size it would skip some and alias.
    method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    if (across, down) == (width, height):
        return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8), scale
    canvas = np.full((height, width, image.shape[2]), PADDING, np.uint8)
    canvas[:down, :across] = cv2.resize(image, (across, down), interpolation=method)
    return canvas, scale


def decode_cells(
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    stride: int,
    boxes: Floats,
    landmarks: Floats,
) -> tuple[Boxes, Floats]:
    """Turn what cells at *rows*, *columns* (N,) of one stride say into boxes and landmarks.

    *boxes* (N, 4) and *landmarks* (N, 10) are the network's raw values.  Returns boxes (N, 4)
    as corners and landmarks (N, 5, 2), float32, in pixels of the network's input.
    """
    centres = np.stack([columns + 0.5, rows + 0.5], axis=1).astype(np.float32) * stride
    middles = centres + boxes[:, :2] * stride
    # exp(6) x 32 is far more than any picture; the limit only keeps a bad model file finite.
    halves = np.exp(np.clip(boxes[:, 2:], -6, 6)) * (stride / 2)
    corners = np.concatenate([middles - halves, middles + halves], axis=1)
    points = centres[:, None, :] + landmarks.reshape(-1, LANDMARKS, 2) * stride
    return corners.astype(np.float32), points.astype(np.float32)


def gather_faces(
    found: list[tuple[Boxes, Floats, Floats]],
    scale: float,
    width: int,
    height: int,
    nms_iou: float,
) -> Faces:
    """Merge what :func:`candidates` *found* (boxes, scores, landmarks) into the faces of a picture.

    *scale* is input pixels per picture pixel; *width* and *height* are the picture's, and
    boxes are clipped to them.
    """
    if not found:
        return Faces.none()
    boxes, scores, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
    boxes = clip_boxes(boxes / np.float32(scale), width, height)
    visible = (boxes[:, 2] - boxes[:, 0] >= 1) & (boxes[:, 3] - boxes[:, 1] >= 1)
    boxes, scores, points = boxes[visible], scores[visible], points[visible]
    keep = non_maximum_suppression(boxes, scores, nms_iou)
    return Faces(boxes[keep], scores[keep], points[keep] / np.float32(scale))


class FaceDetector:
    """Finds faces with the network of one model file.

    *threads* is how many cores one picture may use.  *score_threshold* (0 to 1) overrides the
    card's: raise it and fewer things that are no faces come back, but also fewer far or
    half-hidden faces.  Raises ModelError when the file's outputs are not a detector's, or its
    card has no score_threshold.
    """

    def __init__(
        self, model: ModelFile, threads: int = 1, score_threshold: float | None = None
    ) -> None:
        self.model = model
        self.network = Network.from_model(model, threads)
        if "score_threshold" not in model.card.decision:
            raise ModelError(
                f"{model.path}: its card has no decision.score_threshold; convert it again"
            )
        self._check_outputs()
        self.nms_iou = float(model.card.decision.get("nms_iou", 0.45))
        if score_threshold is None:
            score_threshold = float(model.card.decision["score_threshold"])
        self.score_threshold = float(np.clip(score_threshold, 1e-4, 1 - 1e-4))
        self._pixels = model.card.input.width * model.card.input.height
        self._picture_size = (0, 0)
        self._input_size = (0, 0)

    def detect(self, image: Image) -> Faces:
        """Return the faces in *image*, (H, W, 3) BGR uint8, best first.

        A picture of another size than the last one makes the network allocate anew, a few
        milliseconds once.
        """
        height, width = image.shape[:2]
        if (width, height) != self._picture_size:
            self._input_size = input_shape(width, height, self._pixels)
            self.network.set_shape(*self._input_size)
            self._picture_size = (width, height)
        canvas, scale = letterbox(image, *self._input_size)
        found = candidates(self.network.run_raw(canvas), self.score_threshold)
        return gather_faces(found, scale, width, height, self.nms_iou)

    def _check_outputs(self) -> None:
        outputs = self.network.run_raw(np.full(self.network.shape, PADDING, np.uint8))
        shapes = {name: values.shape for name, (values, _, _) in outputs.items()}
        wanted = {
            f"{part}{stride}": count
            for stride in STRIDES
            for part, count in (("score", 1), ("box", 4), ("landmark", 2 * LANDMARKS))
        }
        maps = {name: shape[-1] for name, shape in shapes.items() if len(shape) == 4}
        if len(maps) != len(shapes) or maps != wanted:
            raise ModelError(
                f"{self.model.path}: its outputs are {shapes}; maps with these channels are "
                f"needed: {wanted}; convert it again"
            )


def candidates(raw: RawOutputs, score_threshold: float) -> list[tuple[Boxes, Floats, Floats]]:
    """Return, per stride that has any, the boxes, scores and landmarks above *score_threshold*.

    *raw* maps each output's name to its values (1, H, W, C), scale and zero point; a float
    network passes 1.0 and 0.  Everything comes back in pixels of the network's input, and at
    most :data:`MOST_CANDIDATES` a stride, the best ones.
    """
    logit = np.log(score_threshold / (1 - score_threshold))
    found = []
    for stride in STRIDES:
        quantised, scale, zero = raw[f"score{stride}"]
        scores = quantised[0, :, :, 0]
        # Compared as int8: almost every cell is background and is never dequantised.
        rows, columns = np.nonzero(scores >= logit / scale + zero)
        if len(rows) == 0:
            continue
        logits = (scores[rows, columns].astype(np.float32) - zero) * np.float32(scale)
        if len(rows) > MOST_CANDIDATES:
            best = np.argpartition(-logits, MOST_CANDIDATES)[:MOST_CANDIDATES]
            rows, columns, logits = rows[best], columns[best], logits[best]
        box = _dequantise(raw[f"box{stride}"], rows, columns)
        points = _dequantise(raw[f"landmark{stride}"], rows, columns)
        boxes, landmarks = decode_cells(rows, columns, stride, box, points)
        found.append((boxes, np.asarray(1 / (1 + np.exp(-logits)), np.float32), landmarks))
    return found


def _dequantise(
    output: tuple[npt.NDArray[Any], float, int],
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
) -> Floats:
    values, scale, zero = output
    picked = values[0, rows, columns].astype(np.float32)
    return np.asarray((picked - np.float32(zero)) * np.float32(scale), np.float32)
