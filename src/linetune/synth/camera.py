"""What photographing does to a printed line: light, focus, shake, sharpening, noise and compression."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.image import Crop

Picture = NDArray[np.float32]


def photograph(rng: np.random.Generator, scene: Picture, text_height: float) -> Crop:
    """A scene as a camera sees it.

    Args:
        rng: where the random draws come from.
        scene: BGR in grey levels 0 to 255.
        text_height: height of the text, px; what blurs is measured by it.
    """
    picture = scene * _light(rng, *scene.shape[:2])
    if rng.random() < 0.4:
        picture = _coarse(picture, rng.uniform(11, 22) / text_height)
    if rng.random() < 0.6:
        picture = _blur(picture, text_height * rng.uniform(0.01, 0.05))
    if rng.random() < 0.12:
        picture = _shake(picture, text_height * rng.uniform(0.06, 0.18), rng.uniform(0, math.pi))
    if rng.random() < 0.25:
        amount = rng.uniform(0.5, 1.5)
        picture = picture + amount * (picture - _blur(picture, text_height * 0.06))
    if rng.random() < 0.7:
        picture = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(0.5, 8))
    crop = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
    return _compress(crop, int(rng.integers(35, 96))) if rng.random() < 0.7 else crop


def _light(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Brightness and colour of the light: a slope, sometimes the edge of a shadow."""
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :, None]
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None, None]
    slope_x, slope_y = rng.normal(0, 0.12, 2)
    level = rng.uniform(0.55, 0.85) if rng.random() < 0.35 else rng.uniform(0.85, 1.12)
    balance = 1 + rng.normal(0, 0.02, 3)
    light = np.clip(1 + slope_x * x + slope_y * y, 0.6, 1.4) * level * balance
    if rng.random() < 0.12:
        across = x * rng.normal() + y * rng.normal() - rng.uniform(-0.4, 0.4)
        light *= 1 - rng.uniform(0.1, 0.4) / (1 + np.exp(-across * rng.uniform(8, 40)))
    return np.asarray(light, np.float32)


def _coarse(picture: Picture, scale: float) -> Picture:
    """A picture taken from further away, so with fewer pixels, and cut out larger."""
    if scale >= 1:
        return picture
    height, width = picture.shape[:2]
    size = max(4, round(width * scale)), max(4, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _blur(picture: Picture, sigma: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def _shake(picture: Picture, length: float, angle: float) -> Picture:
    half = max(1, round(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    reach = round(half * math.cos(angle)), round(half * math.sin(angle))
    cv2.line(kernel, (half - reach[0], half - reach[1]), (half + reach[0], half + reach[1]), 1.0)
    shaken = cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(shaken, np.float32)


def _compress(crop: Crop, quality: int) -> Crop:
    data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
