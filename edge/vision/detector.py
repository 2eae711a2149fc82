"""The face detector: a picture in, faces with boxes, scores and five landmarks out.

The network is fully convolutional and anchor-free.  At strides 8, 16 and 32 every cell
gives a score logit, a box ``dx, dy, log w, log h`` and five landmark offsets, all in units of
its stride and relative to the cell's centre.  :func:`decode_cells` is that arithmetic, used
by training, evaluation and the device alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.modelfile import ModelFile
from edge.vision.crop import Image
from edge.vision.geometry import Boxes, clip_boxes, no_boxes, non_maximum_suppression
from edge.vision.interpreter import Network, every_integer
from edge.vision.letterbox import PADDING, STEP, Letterbox, input_shape

STRIDES = (8, 16, STEP)
LANDMARKS = 5
LOWEST_SCORE = 1e-4
"""No detector is asked for less sure faces; what int8 outputs can tell apart starts here."""
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

    def enlarged(self, across: float, down: float) -> Faces:
        """Return these faces in a picture that is *across* times as wide, *down* times as high."""
        factors = np.array([across, down, across, down], np.float32)
        return Faces(self.boxes * factors, self.scores, self.landmarks * factors[:2])

    @classmethod
    def none(cls) -> Faces:
        """Return what a picture without a face gives: arrays of length 0."""
        return cls(no_boxes(), np.zeros(0, np.float32), np.zeros((0, LANDMARKS, 2), np.float32))


def decode_cells(
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    stride: int | Floats,
    boxes: Floats,
    landmarks: Floats,
) -> tuple[Boxes, Floats]:
    """Turn what cells at *rows*, *columns* (N,) say into boxes and landmarks.

    *stride* is that of all of them, or (N, 1) float32.  *boxes* (N, 4) and *landmarks* (N, 10)
    are the network's raw values.  Returns boxes (N, 4) as corners and landmarks (N, 5, 2),
    float32, in pixels of the network's input.
    """
    strides = np.asarray(stride, np.float32)
    centres = _centres(rows, columns, strides)
    middles = centres + boxes[:, :2] * strides
    halves = _halves(boxes[:, 2:], strides)
    corners = np.empty((len(rows), 4), np.float32)
    corners[:, :2] = middles - halves
    corners[:, 2:] = middles + halves
    offsets = (landmarks * strides).reshape(-1, LANDMARKS, 2)
    return corners, np.asarray(centres[:, None, :] + offsets, np.float32)


def gather_faces(found: Faces, scale: float, width: int, height: int, nms_iou: float) -> Faces:
    """Merge what :func:`candidates` *found* into the faces of a picture.

    *scale* is input pixels per picture pixel; *width* and *height* are the picture's, and
    boxes are clipped to them.
    """
    if len(found) == 0:
        return found
    boxes = clip_boxes(found.boxes / np.float32(scale), width, height)
    scores, points = found.scores, found.landmarks
    sides = boxes[:, 2:] - boxes[:, :2]
    if sides.min() < 1:
        visible = (sides >= 1).all(axis=1)
        boxes, scores, points = boxes[visible], scores[visible], points[visible]
    keep = non_maximum_suppression(boxes, scores, nms_iou)
    return Faces(boxes[keep], scores[keep], points[keep] / np.float32(scale))


class FaceDetector:
    """Finds faces with the network of one model file.

    *threads* is how many cores one picture may use.  *score_threshold* (0 to 1) overrides the
    card's: raise it and fewer things that are no faces come back, but also fewer far or
    half-hidden faces.  *detail* (1 or more) is how many times the card's pixels it looks at:
    farther faces are found, in so many times the time.  Raises ModelError when the file's outputs
    are not a detector's, or its card has no score_threshold.
    """

    def __init__(
        self,
        model: ModelFile,
        threads: int = 1,
        score_threshold: float | None = None,
        detail: float = 1.0,
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
        self.score_threshold = float(np.clip(score_threshold, LOWEST_SCORE, 1 - LOWEST_SCORE))
        across, down = model.card.input.width, model.card.input.height
        self._pixels = int(across * down * detail)
        self._picture_size = (0, 0)
        self._fit_to(across, down)

    def detect(self, image: Image, small: Image | None = None) -> Faces:
        """Return the faces in *image*, (H, W, 3) BGR uint8, best first, in its pixels.

        Looked for in *small*, the same picture with fewer pixels, where there is one: then none
        of *image* is read.  A picture of another size than the last one makes the network
        allocate anew, a few milliseconds once.
        """
        seen = image if small is None else small
        height, width = seen.shape[:2]
        if (width, height) != self._picture_size:
            self._fit_to(width, height)
        self.network.see(self._letterbox.fit(seen))
        found = self._decoder.candidates(self.network.integers)
        faces = gather_faces(found, self._letterbox.scale, width, height, self.nms_iou)
        if small is None:
            return faces
        return faces.enlarged(image.shape[1] / width, image.shape[0] / height)

    def _fit_to(self, width: int, height: int) -> None:
        across, down = input_shape(width, height, self._pixels)
        self.network.set_shape(across, down)
        self._letterbox = Letterbox(width, height, across, down)
        self._decoder = Decoder(self.network.quantisation, across, down, self.score_threshold)
        self._picture_size = (width, height)

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


@dataclass(frozen=True, slots=True)
class _Tables:
    """What a cell's integers stand for at one *stride*, in pixels of the network's input.

    *least* is the lowest integer of a score that counts, *centres* are the cells' (cells, 2).
    The others have an entry, float32, for each of :func:`every_integer`.
    """

    stride: int
    least: int
    centres: Floats
    scores: Floats
    moves: Floats
    halves: Floats
    offsets: Floats


class Decoder:
    """Gives what :func:`candidates` does, to the bit, for one network and size of its input.

    In half the time: a handful of cells costs what the calls cost, so what integers stand for is
    worked out once, for all there are.  *quantisation* holds the integers' type, scale and zero
    point of each output, by name; *width* and *height* are the input's in pixels.
    """

    def __init__(
        self,
        quantisation: Mapping[str, tuple[np.dtype[Any], float, int]],
        width: int,
        height: int,
        score_threshold: float,
    ) -> None:
        self._tables = tuple(
            _tables(quantisation, stride, width // stride, height // stride, score_threshold)
            for stride in STRIDES
        )

    def candidates(self, integers: Callable[[str], npt.NDArray[Any]]) -> Faces:
        """Return what the cells above the threshold say; *integers* gives an output by name."""
        found = []
        for table in self._tables:
            scores = integers(f"score{table.stride}").reshape(-1)
            (cells,) = (scores >= table.least).nonzero()
            if len(cells) == 0:
                continue
            if len(cells) > MOST_CANDIDATES:
                cells = cells[_highest(scores[cells].astype(np.float32))]
            boxes = integers(f"box{table.stride}").reshape(-1, 4)[cells]
            landmarks = integers(f"landmark{table.stride}").reshape(-1, 2 * LANDMARKS)[cells]
            centres = table.centres[cells]
            middles = centres + table.moves[boxes[:, :2]]
            halves = table.halves[boxes[:, 2:]]
            corners = np.concatenate((middles - halves, middles + halves), axis=1)
            points = centres[:, None] + table.offsets[landmarks].reshape(-1, LANDMARKS, 2)
            found.append((corners, table.scores[scores[cells]], points))
        if not found:
            return Faces.none()
        return Faces(*(found[0] if len(found) == 1 else _joined(found)))


def candidates(raw: RawOutputs, score_threshold: float) -> Faces:
    """Return what all cells above *score_threshold* say, many of them the same face.

    *raw* maps each output's name to its values (1, H, W, C), scale and zero point; a float
    network passes 1.0 and 0.  Everything comes back in pixels of the network's input, and at
    most :data:`MOST_CANDIDATES` a stride, the best ones.
    """
    logit = _logit(score_threshold)
    found = []
    for stride in STRIDES:
        quantised, scale, zero = raw[f"score{stride}"]
        limit = logit / scale + zero
        if quantised.dtype.kind in "iu":
            # Almost every cell is background and is never dequantised, nor widened to compare.
            limit = math.ceil(limit)
        across = quantised.shape[2]
        scores = quantised.reshape(-1)
        cells = np.flatnonzero(scores >= limit)
        if len(cells) == 0:
            continue
        logits = _dequantised(scores[cells], scale, zero)
        if len(cells) > MOST_CANDIDATES:
            best = _highest(logits)
            cells, logits = cells[best], logits[best]
        found.append(
            (
                cells // across,
                cells % across,
                np.full((len(cells), 1), stride, np.float32),
                _picked(raw[f"box{stride}"], cells),
                _picked(raw[f"landmark{stride}"], cells),
                logits,
            )
        )
    if not found:
        return Faces.none()
    *places, logits = found[0] if len(found) == 1 else _joined(found)
    boxes, landmarks = decode_cells(*places)
    return Faces(boxes, _sigmoid(logits), landmarks)


def _tables(
    quantisation: Mapping[str, tuple[np.dtype[Any], float, int]],
    stride: int,
    columns: int,
    rows: int,
    score_threshold: float,
) -> _Tables:
    def stands_for(part: str) -> Floats:
        dtype, scale, zero = quantisation[f"{part}{stride}"]
        return _dequantised(every_integer(dtype), scale, zero)

    _, scale, zero = quantisation[f"score{stride}"]
    down, across = np.divmod(np.arange(rows * columns), columns)
    sizes = np.float32(stride)
    return _Tables(
        stride,
        math.ceil(_logit(score_threshold) / scale + zero),
        _centres(down, across, sizes),
        _sigmoid(stands_for("score")),
        stands_for("box") * sizes,
        _halves(stands_for("box"), sizes),
        stands_for("landmark") * sizes,
    )


def _centres(
    rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], strides: Floats | np.float32
) -> Floats:
    centres = np.empty((len(rows), 2), np.float32)
    centres[:, 0] = columns
    centres[:, 1] = rows
    centres += np.float32(0.5)
    centres *= strides
    return centres


def _halves(sizes: Floats, strides: Floats | np.float32) -> Floats:
    # exp(6) x 32 is far more than any picture; the limit only keeps a bad model file finite.
    return np.asarray(np.exp(np.clip(sizes, -6, 6)) * (strides / 2), np.float32)


def _joined(found: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    return map(np.concatenate, zip(*found, strict=True))


def _logit(score: float) -> float:
    return math.log(score / (1 - score))


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)), np.float32)


def _highest(values: Floats) -> npt.NDArray[np.intp]:
    return np.argpartition(-values, MOST_CANDIDATES)[:MOST_CANDIDATES]


def _picked(output: tuple[npt.NDArray[Any], float, int], cells: npt.NDArray[np.intp]) -> Floats:
    values, scale, zero = output
    return _dequantised(values.reshape(-1, values.shape[-1])[cells], scale, zero)


def _dequantised(values: npt.NDArray[Any], scale: float, zero: int) -> Floats:
    real = values.astype(np.float32)
    real -= np.float32(zero)
    real *= np.float32(scale)
    return real
