"""The faults of a cheap camera at a door, drawn at random: light, lens, sensor, compression.

Only pixel values change; boxes and landmarks stay valid.  Each fault strikes on its own,
so that clean, slightly spoilt and badly spoilt pictures all occur.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def cheap_camera(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Return *image* (H, W, 3) BGR uint8 as a cheap camera might have taken it.

    *strength* scales both how often each fault strikes and how bad it is: 0 returns the
    picture as it is, 1 is the setting of the released models, above about 1.5 faces become
    unrecognisable to people too.  The order is the one light takes: scene, lens, sensor,
    processing, compression.
    """
    if strength <= 0:
        return image
    if rng.random() < 0.25 * strength:
        image = back_light(image, rng, strength)
    image = tone(image, rng, strength)
    if rng.random() < 0.18 * strength:
        image = motion_blur(image, rng, strength)
    elif rng.random() < 0.22 * strength:
        image = focus_blur(image, rng, strength)
    if rng.random() < 0.35 * strength:
        image = sensor_noise(image, rng, strength)
    if rng.random() < 0.10 * strength:
        image = grey(image)
    if rng.random() < 0.35 * strength:
        image = jpeg(image, rng, strength)
    return image


def tone(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Return *image* with exposure, contrast, gamma, saturation and colour temperature changed.

    One lookup table a channel does exposure, contrast, gamma and temperature at once.
    """
    exposure = np.exp(rng.normal(0.0, 0.18 * strength))
    if rng.random() < 0.15 * strength:
        exposure *= rng.uniform(0.25, 0.6)
    gamma = np.exp(rng.normal(0.0, 0.18 * strength))
    contrast = 1.0 + rng.normal(0.0, 0.15 * strength)
    temperature = rng.normal(0.0, 0.09 * strength)
    tint = rng.normal(0.0, 0.04 * strength)
    gains = np.exp(np.array([temperature, tint, -temperature]))
    ramp = np.linspace(0.0, 1.0, 256) ** gamma
    ramp = (ramp - 0.5) * contrast + 0.5
    table = np.clip(ramp[:, None] * gains[None, :] * exposure * 255.0, 0, 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, np.ascontiguousarray(table[None, :, :])), np.uint8)
    if rng.random() < 0.5:
        saturation = float(np.clip(1.0 + rng.normal(0.0, 0.3 * strength), 0.0, 2.0))
        luma = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        image = np.asarray(
            cv2.addWeighted(image, saturation, luma, 1.0 - saturation, 0.0), np.uint8
        )
    return image


def back_light(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Return *image* lit from one side or from behind: a smooth ramp from dark to blown out."""
    height, width = image.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    ramp = x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))
    dark, bright = rng.uniform(0.3, 0.9), rng.uniform(1.0, 1.0 + 0.9 * strength)
    gain = np.float32(dark) + np.float32(bright - dark) * (ramp * np.float32(0.5) + np.float32(0.5))
    lift = np.float32(rng.uniform(0, 40) * strength if rng.random() < 0.4 else 0.0)
    lit = image.astype(np.float32) * gain[:, :, None] + lift
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def motion_blur(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Return *image* smeared along one direction, up to 5 % of its longer side."""
    longest = max(image.shape[:2])
    length = max(3, int(rng.uniform(0.01, 0.05) * longest * strength))
    kernel = np.zeros((length, length), np.float32)
    centre = (length - 1) / 2
    angle = rng.uniform(0, np.pi)
    dx, dy = np.cos(angle) * centre, np.sin(angle) * centre
    cv2.line(
        kernel,
        (round(centre - dx), round(centre - dy)),
        (round(centre + dx), round(centre + dy)),
        1.0,
    )
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def focus_blur(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Return *image* out of focus, or as if seen from further away and enlarged."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        factor = rng.uniform(0.3, 0.8) if strength >= 1 else rng.uniform(0.5, 0.9)
        small = cv2.resize(
            image,
            (max(4, round(width * factor)), max(4, round(height * factor))),
            interpolation=cv2.INTER_AREA,
        )
        return np.asarray(
            cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8
        )
    sigma = rng.uniform(0.003, 0.012) * max(height, width) * strength
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.3, sigma)), np.uint8)


def sensor_noise(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Return *image* with the grain of a small sensor at high gain, per channel or in luma."""
    sigma = rng.uniform(2, 16) * strength
    channels = 3 if rng.random() < 0.5 else 1
    noise = rng.standard_normal((*image.shape[:2], channels), dtype=np.float32)
    noise *= np.float32(sigma)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)


def grey(image: Image) -> Image:
    """Return *image* without colour, as an infra-red night mode gives it."""
    return np.asarray(
        cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8
    )


def jpeg(image: Image, rng: np.random.Generator, strength: float = 1.0) -> Image:
    """Return *image* after a JPEG round trip at a quality of 18 to 85."""
    lowest = 18 if strength >= 1 else 40
    quality = int(rng.integers(lowest, 86))
    done, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of shape {image.shape} could not be packed as JPEG")
    unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return np.asarray(unpacked, np.uint8)
