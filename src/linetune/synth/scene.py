"""What the text stands on and what it is printed with: paper, ink, and the contrast between them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune import image
from linetune.synth import files

Paper = NDArray[np.float32]
"""BGR in grey levels 0 to 255, shape (height, width, 3)."""

CONTRAST = 60.0
"""Least difference of luminance between ink and paper before the camera, grey levels."""
_SPREAD = 90.0
"""Largest difference of luminance on a paper; CONTRAST then fits above or below it."""
_PHOTO_SIDE = 2000
_LUMINANCE = np.array([0.114, 0.587, 0.299], np.float32)

_PLASTICS: tuple[tuple[float, tuple[int, int, int]], ...] = (
    (0.5, (238, 240, 240)),  # white
    (0.2, (35, 205, 235)),  # yellow
    (0.15, (170, 172, 172)),  # grey
    (0.05, (60, 60, 60)),  # black
)
"""Share and BGR colour of what markers are made of; the rest has any colour."""


def luminance(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Luminance of BGR colours in the last axis (Rec. 601)."""
    return colours @ _LUMINANCE


def find_photos(paths: Sequence[Path]) -> list[Path]:
    """The photos that the configuration names.

    Raises:
        LinetuneError: a path does not exist, or a folder holds no photo.
    """
    return files.find(paths, image.SUFFIXES, "name photos or a folder of them, or leave backgrounds out")


def paper(rng: np.random.Generator, height: int, width: int, photo: Path | None) -> Paper:
    """A surface to print on: cut from a photo, or a plastic with its colour, gradient and grain."""
    if photo is not None and rng.random() < 0.6:
        surface = _cut(rng, _photo(photo), height, width)
    else:
        surface = np.full((height, width, 3), _plastic(rng), np.float32)
        surface += _waves(rng, height, width, (2, 3), 12 * rng.random())
    if rng.random() < 0.5:
        surface += _waves(rng, height, width, (height // 3, width // 3), 5 * rng.random())
    return _flatten(np.clip(surface, 0, 255))


def ink(rng: np.random.Generator, on: Paper) -> NDArray[np.float32]:
    """A BGR colour that differs by at least ``CONTRAST`` in luminance from every pixel of a paper."""
    bright = luminance(on)
    below, above = float(bright.min()) - CONTRAST, 255 - (float(bright.max()) + CONTRAST)
    tint = 1 + rng.uniform(-1, 1, 3).astype(np.float32) * (0.6 if rng.random() < 0.15 else 0.12)
    tint /= luminance(tint)
    # Mostly black print; the cube keeps faded print the exception. Clipping only adds contrast.
    depth = rng.random() ** 3
    if below >= 0 and (above < 0 or rng.random() < 0.95):
        return np.asarray(np.minimum(below * depth * tint, 255), np.float32)
    return np.asarray(np.maximum(255 - above * depth * tint, 0), np.float32)


def _plastic(rng: np.random.Generator) -> NDArray[np.float32]:
    pick = rng.random()
    for share, colour in _PLASTICS:
        if pick < share:
            return np.array(colour, np.float32) + rng.normal(0, 4, 3).astype(np.float32)
        pick -= share
    return rng.uniform(40, 250, 3).astype(np.float32)


def _waves(rng: np.random.Generator, height: int, width: int, grid: tuple[int, int], level: float) -> Paper:
    """Smooth grey variation, random at the points of a grid."""
    points = rng.normal(0, level, (max(2, grid[0]), max(2, grid[1]))).astype(np.float32)
    return np.asarray(cv2.resize(points, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)[
        :, :, None
    ]


def _cut(rng: np.random.Generator, photo: image.Crop, height: int, width: int) -> Paper:
    # Magnified, so that writing in the photo gives texture but no second text.
    scale = min(rng.uniform(0.15, 0.6), photo.shape[0] / height, photo.shape[1] / width)
    rows, columns = max(1, int(height * scale)), max(1, int(width * scale))
    top = int(rng.integers(photo.shape[0] - rows + 1))
    left = int(rng.integers(photo.shape[1] - columns + 1))
    part = photo[top : top + rows, left : left + columns]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _flatten(surface: Paper) -> Paper:
    """Draw a surface towards its mean until its luminance spreads over at most ``_SPREAD``."""
    bright = luminance(surface)
    spread = float(bright.max() - bright.min())
    mean = surface.mean((0, 1))
    return surface if spread <= _SPREAD else mean + (surface - mean) * np.float32(_SPREAD / spread)


@lru_cache(maxsize=4)
def _photo(path: Path) -> image.Crop:
    photo = image.read(path)
    scale = _PHOTO_SIDE / max(photo.shape[:2])
    if scale >= 1:
        return photo
    return np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
