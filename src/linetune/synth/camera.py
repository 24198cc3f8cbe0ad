"""Effects of a camera on a scene: light, blur, sharpening, noise and JPEG compression."""

from __future__ import annotations

import math

import cv2
import numpy as np

from linetune.core.image import Crop
from linetune.synth.looks import Look
from linetune.synth.scene import Picture

_RENDERED_BLUR = 0.4
"""Sigma in px of the blur that drawing and warping already cause."""


def photograph(rng: np.random.Generator, scene: Picture, look: Look) -> Crop:
    """Return a scene as a camera would take it, with the blur, noise and shading of a look.

    Args:
        rng: the source of random numbers.
        scene: BGR in grey levels 0 to 255, shape (height, width, 3).
        look: the look to approach.
    """
    height, width = scene.shape[:2]
    picture = scene * _lighting(rng, height, width, look)
    if rng.random() < 0.1:
        picture = _add_glare(rng, picture)
    sigma = math.sqrt(max(0.0, (look.blur * height) ** 2 - _RENDERED_BLUR**2))
    picture = _soften(rng, picture, sigma)
    if rng.random() < 0.2:
        # Sharpening with an unsharp mask, as many cameras do.
        amount = rng.uniform(0.3, 1.0)
        picture = picture + amount * (picture - _blur(picture, 1.0 + sigma))
    if look.noise > 0.1:
        # Cameras remove noise from colours more than from brightness.
        grain = rng.standard_normal((height, width, 1), np.float32) * np.float32(look.noise)
        picture = picture + grain * (1 + np.float32(0.3) * rng.standard_normal(3, np.float32))
    crop = np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)
    if rng.random() < 0.6:
        quality = int(rng.integers(35, 96))
        data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        crop = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return crop


def _lighting(rng: np.random.Generator, height: int, width: int, look: Look) -> Picture:
    """Return the light on each pixel as a factor: a gradient, and sometimes a shadow.

    Returns:
        Shape (height, width, 1).
    """
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    # A gradient s on a surface of brightness b has the standard deviation s b / sqrt(12).
    steepness = min(0.8, look.shading * math.sqrt(12) / max(look.brightness, 40))
    slope_x, slope_y = rng.normal(0, steepness / 2, 2)
    light = np.clip(1 + np.float32(slope_x) * x + np.float32(slope_y) * y, 0.5, 1.5)
    if rng.random() < 0.1:
        across = (x * rng.normal() + y * rng.normal() - rng.uniform(-0.4, 0.4)) * rng.uniform(8, 40)
        light = light * (1 - rng.uniform(0.1, 0.4) * (0.5 + 0.5 * np.tanh(across / 2)))
    return np.asarray(light, np.float32)[:, :, None]


def _add_glare(rng: np.random.Generator, picture: Picture) -> Picture:
    """Add the reflection of a lamp: a bright band that leaves at least half of the contrast."""
    height, width = picture.shape[:2]
    x = np.linspace(0, width / height, width, dtype=np.float32)[None, :] - rng.uniform(0, width / height)
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None] - rng.uniform(0, 1)
    angle = rng.uniform(0, math.pi)
    across = (x * math.cos(angle) + y * math.sin(angle)) / rng.uniform(0.1, 0.5)
    shine = np.float32(rng.uniform(0.15, 0.5)) * np.exp(-np.square(across))
    return np.asarray(picture + (255 - picture) * shine[:, :, None].astype(np.float32), np.float32)


def _soften(rng: np.random.Generator, picture: Picture, sigma: float) -> Picture:
    """Blur a picture by about ``sigma`` px, by low resolution, a moving camera or a lens out of focus."""
    if sigma < 0.2:
        return picture
    kind = rng.random()
    if kind < 0.25:
        # Scaling up pixels that were s wide blurs about as much as a Gaussian with sigma 0.45 s.
        height, width = picture.shape[:2]
        scale = min(1.0, 0.45 / sigma)
        size = max(4, round(width * scale)), max(4, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    if kind < 0.4:
        # A movement of length l has the standard deviation l / sqrt(12) along its direction. Across it, the
        # picture is only out of focus.
        moved = _motion_blur(picture, 1.3 * sigma * math.sqrt(12), rng.uniform(0, math.pi))
        return _blur(moved, 0.5 * sigma)
    return _blur(picture, sigma)


def _blur(picture: Picture, sigma: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.15)), np.float32)


def _motion_blur(picture: Picture, length: float, angle: float) -> Picture:
    half = max(1, round(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    reach = round(half * math.cos(angle)), round(half * math.sin(angle))
    cv2.line(kernel, (half - reach[0], half - reach[1]), (half + reach[0], half + reach[1]), 1.0)
    moved = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)
