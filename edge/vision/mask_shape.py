"""Where a mask lies on a face: outlines, pleats and ear loops from five landmarks.

The head is a small solid seen from far away: points are ``x, v, z`` with ``x`` to the
picture's right and ``z`` towards the camera in eye distances, and ``v`` down the face, 0 at
the eyes and 1 at the mouth.  Turning that solid by the yaw that the nose shows is what keeps a
mask on the cheek of somebody who looks aside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]

# Depths of landmarks in front of the eyes, eye distances; chosen by eye on turned faces, near
# anthropometry: a nose 33 mm and lips 13 mm in front, at 63 mm between the pupils.
_NOSE_DEPTH = 0.52
_MOUTH_DEPTH = 0.20
_MAX_SIN_YAW = 0.85
_SMALLEST_FACE = 3.0
_SAMPLES_PER_SEGMENT = 6

# Half outlines from the middle of the top edge to the middle of the lower edge, on the side of
# positive x; the top edge is at v = 0 and the chin at v = 1 here, see `outline`.
_HALVES: dict[str, tuple[tuple[float, float, float], ...]] = {
    "surgical": (
        (0.00, 0.00, 0.40), (0.26, 0.05, 0.20), (0.56, 0.11, 0.00), (0.87, 0.16, -0.38),
        (0.90, 0.36, -0.45), (0.82, 0.60, -0.38), (0.52, 0.88, -0.02), (0.00, 1.00, 0.22),
    ),
    "cloth": (
        (0.00, 0.00, 0.42), (0.22, 0.04, 0.25), (0.55, 0.15, 0.02), (0.90, 0.22, -0.45),
        (0.95, 0.38, -0.55), (0.84, 0.62, -0.40), (0.50, 0.92, -0.02), (0.00, 1.02, 0.28),
    ),
    "ffp2": (
        (0.00, 0.00, 0.52), (0.20, 0.06, 0.35), (0.50, 0.17, 0.08), (0.78, 0.30, -0.22),
        (0.82, 0.44, -0.30), (0.72, 0.66, -0.20), (0.42, 0.92, 0.08), (0.00, 1.03, 0.40),
    ),
    "bandana": (
        (0.00, 0.00, 0.40), (0.28, 0.04, 0.20), (0.58, 0.09, 0.00), (0.96, 0.12, -0.60),
        (1.02, 0.38, -0.70), (0.94, 0.80, -0.55), (0.55, 1.22, -0.10), (0.22, 1.52, 0.10),
        (0.00, 1.62, 0.10),
    ),
    "scarf": (
        (0.00, 0.00, 0.42), (0.30, 0.03, 0.22), (0.62, 0.07, 0.02), (1.02, 0.10, -0.60),
        (1.14, 0.45, -0.70), (1.20, 0.90, -0.60), (1.05, 1.35, -0.30), (0.00, 1.46, 0.20),
    ),
}
KINDS = tuple(_HALVES)
_TOP_EDGE_POINTS = 4
# Outline points on each side of the top edge's middle that a nose wire spans.
TOP_EDGE_SAMPLES = _SAMPLES_PER_SEGMENT


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """A face's own axes in the picture.

    ``origin`` (2,) is the middle of the eyes; ``right`` and ``down`` (2,) are the steps in
    pixels for one eye distance and for the way from eyes to mouth; ``nose`` is the nose tip's
    ``v``; ``sin_yaw`` is positive when the nose points to the picture's right.
    """

    origin: Points
    right: Points
    down: Points
    nose: float
    sin_yaw: float

    def project(self, solid: Points) -> Points:
        """Return picture points (N, 2) of the head's points *solid* (N, 3)."""
        cos_yaw = np.sqrt(1 - self.sin_yaw**2)
        x = solid[:, 0] * cos_yaw + solid[:, 2] * self.sin_yaw
        points = self.origin + x[:, None] * self.right + solid[:, 1, None] * self.down
        return np.asarray(points, np.float32)


def face_frame(landmarks: npt.ArrayLike) -> FaceFrame | None:
    """Return the axes of the face with *landmarks* (5, 2) in pixels, order as everywhere.

    ``None`` when the five points cannot be a face: not finite, less than 3 pixels from eyes to
    mouth, or in a line that leaves no axis.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (5, 2):
        raise ValueError(f"landmarks have shape {points.shape}; five points, (5, 2), are needed")
    if not np.isfinite(points).all() or float(np.abs(points).max()) > 1e6:
        return None
    right_eye, left_eye, nose, mouth_right, mouth_left = points
    eyes = (right_eye + left_eye) / 2
    down = (mouth_right + mouth_left) / 2 - eyes
    length = float(np.hypot(*down))
    across = left_eye - right_eye
    eye_distance = float(np.hypot(*across))
    if length < _SMALLEST_FACE or eye_distance > 6 * length:
        return None
    # Side-on, the eyes close up and their line is mostly noise: lean on the long axis then.
    perpendicular = np.array([down[1], -down[0]]) / length
    unit = perpendicular + across / max(eye_distance, length)
    norm = float(np.hypot(*unit))
    if norm < 0.3:
        return None
    unit /= norm
    # An eye distance narrower than the face's length allows is a turned head, not a thin one.
    width = float(np.clip(eye_distance, 0.95 * length, 1.35 * length))
    nose_v = float(np.clip((nose - eyes) @ down / length**2, 0.30, 0.80))
    offset = float((nose - eyes - nose_v * down) @ unit)
    lever = (_NOSE_DEPTH - nose_v * _MOUTH_DEPTH) * width
    # Saturating, because a detector's nose on a turned face errs outward, towards the profile.
    sin_yaw = offset / float(np.hypot(offset, lever))
    sin_yaw = float(np.clip(sin_yaw, -_MAX_SIN_YAW, _MAX_SIN_YAW))
    width = float(np.clip(eye_distance / np.sqrt(1 - sin_yaw**2), width, 1.35 * length))
    down = down - unit * _MOUTH_DEPTH * sin_yaw * width
    down *= max(length, 0.7 * width) / max(float(np.hypot(*down)), 1e-6)
    return FaceFrame(
        np.asarray(eyes, np.float32), np.asarray(unit * width, np.float32),
        np.asarray(down, np.float32), nose_v, sin_yaw,
    )


def edges(frame: FaceFrame, wear: str, height: float) -> tuple[float, float]:
    """Return ``v`` of the top edge's middle and of the lower edge on a mask worn as *wear*.

    *height* 0 to 1 moves the top edge within what the word allows.
    """
    if wear == "right":
        return frame.nose * (0.78 - 0.36 * height), 1.92
    if wear == "under_nose":
        # Nostrils end a third of the way from the tip of the nose to the mouth.
        return frame.nose + (1 - frame.nose) * (0.88 - 0.48 * height), 2.02
    return 1.68 - 0.24 * height, 2.40


def outline(
    frame: FaceFrame, kind: str, wear: str, *, height: float, width: float, tilt: float
) -> Points:
    """Return the closed outline (N, 2) in pixels of a mask of *kind* worn as *wear*.

    *width* is a factor around 1; *tilt* is in radians, positive when the mask hangs lower at
    the picture's right.
    """
    top, bottom = edges(frame, wear, height)
    half = np.array(_HALVES[kind], np.float32)
    if wear != "right":
        # No nose bridge to climb: the edge runs flat, and on a chin it hangs from the ears.
        rise = np.array([0.0, -0.01, -0.02, 0.0] if wear == "under_nose" else [0, 0, -0.05, -0.12])
        half[:_TOP_EDGE_POINTS, 1] = rise + (0.02 if wear == "under_nose" else 0.0)
    half[:, 1] = top + half[:, 1] * (bottom - top)
    half[:, 0] *= width
    if wear == "chin":
        half[:, 2] -= 0.15
        half[4:, 0] *= 0.92
    solid = np.concatenate([half, (half * [-1, 1, 1])[-2:0:-1]]).astype(np.float32)
    solid[:, 1] += tilt * solid[:, 0]
    flat = _keep_silhouette(solid, len(half), frame.sin_yaw)
    return _spline(frame.origin + flat[:, :1] * frame.right + flat[:, 1:] * frame.down)


def _keep_silhouette(solid: Points, half: int, sin_yaw: float) -> Points:
    # The far cheek turns behind the nose: without this the outline would cross itself there.
    x = solid[:, 0] * np.sqrt(1 - sin_yaw**2) + solid[:, 2] * sin_yaw
    far = np.arange(half) if sin_yaw > 0 else np.r_[0, np.arange(len(solid) - 1, half - 2, -1)]
    sign = 1.0 if sin_yaw > 0 else -1.0
    # A mask stands off the face like a tent whose ridge runs from the nose to the chin.
    tent = np.interp(solid[far, 1], [0.3, 0.7, 1.1, 1.9], [0.44, 0.56, 0.52, 0.30]) * abs(sin_yaw)
    reach = np.maximum(x[far] * sign, tent)
    middle = half // 2
    reach[: middle + 1] = np.maximum.accumulate(reach[: middle + 1])
    reach[middle:] = np.maximum.accumulate(reach[middle:][::-1])[::-1]
    ends = reach[[0, -1]]
    x[far] = reach * sign
    x[far[[0, -1]]] = ends * sign
    return np.stack([x, solid[:, 1]], 1).astype(np.float32)


def _spline(points: Points) -> Points:
    # Catmull-Rom with half tension: passes through its points, so covered stays covered.
    t = np.linspace(0, 1, _SAMPLES_PER_SEGMENT, endpoint=False, dtype=np.float32)
    basis = np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], 1
    ) / 2
    around = np.stack([np.roll(points, k, 0) for k in (1, 0, -1, -2)])
    return np.asarray(np.einsum("sk,knd->nsd", basis, around).reshape(-1, 2), np.float32)


def cross_lines(
    frame: FaceFrame, wear: str, *, height: float, count: int, bow: float
) -> list[Points]:
    """Return *count* lines (M, 2) across the mask, as the pleats of a surgical mask run.

    *bow* is how far, in eye-to-mouth lengths, their middle hangs below their ends.
    """
    top, bottom = edges(frame, wear, height)
    x = np.linspace(-0.9, 0.9, 9, dtype=np.float32)
    lines = []
    for k in range(count):
        v = top + (bottom - top) * (0.28 + 0.46 * (k + 0.5) / count)
        solid = np.stack([x, v + bow * (0.8 - x**2), 0.42 - 0.9 * x**2], 1)
        lines.append(frame.project(solid.astype(np.float32)))
    return lines


def seam(frame: FaceFrame, wear: str, *, height: float) -> Points:
    """Return the line (M, 2) down the middle of a folded mask."""
    top, bottom = edges(frame, wear, height)
    v = np.linspace(top, bottom, 8, dtype=np.float32)
    bulge = 0.55 - 0.30 * np.abs(np.linspace(-0.7, 1.0, 8)) ** 2
    return frame.project(np.stack([0 * v, v, bulge], 1).astype(np.float32))


def ear_loops(frame: FaceFrame, kind: str, wear: str, *, height: float) -> list[Points]:
    """Return the visible loops or straps (M, 2) from the mask's corners to the ears."""
    top, bottom = edges(frame, wear, height)
    span = bottom - top
    # A respirator's straps run round the head, above and below the ear.
    ends = (-0.05, 1.0) if kind == "ffp2" else (0.35, 0.80)
    lines = []
    for side in (-1.0, 1.0):
        if side * frame.sin_yaw > 0.35:
            continue
        for fraction, end in zip((0.18, 0.58), ends, strict=True):
            t = np.linspace(0, 1, 6, dtype=np.float32)
            start = top + fraction * span
            # They begin under the cloth, so that no yaw can tear them off it.
            x = side * (0.60 + 0.48 * t)
            v = start + (end - start) * t + 0.06 * np.sin(np.pi * t) * (1 if fraction > 0.5 else -1)
            lines.append(frame.project(np.stack([x, v, -0.05 - 0.9 * t], 1).astype(np.float32)))
    return lines
