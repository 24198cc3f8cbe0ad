"""The background of a text: materials, parts of the user's photos, and the colour of the ink on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.config.schema import Material
from linetune.core import files, image
from linetune.synth.looks import LUMINANCE, Look

Picture = NDArray[np.float32]
"""BGR in grey levels 0 to 255, shape (height, width, 3)."""

CONTRAST = 50.0
"""Least difference of luminance between ink and surface, grey levels."""
_SPREAD = 90.0
"""Largest difference of luminance on a surface. CONTRAST then fits above or below it."""
_PHOTO_SIDE = 2000
_TRIED = 4
"""Number of places in a photo. The emptiest one is used."""


def find_photos(paths: Sequence[Path]) -> list[Path]:
    """Return the photos of a configuration.

    Raises:
        LinetuneError: a path does not exist, or a folder has no photo.
    """
    return files.find(paths, image.SUFFIXES, "name photos or a folder of them, or leave backgrounds out")


@dataclass(frozen=True, slots=True)
class Background:
    """What the surface of a crop is made of."""

    material: Material
    """Gives the texture if there is no photo."""
    photo: Path | None
    """A photo to cut the surface from."""
    recolour: bool
    """Whether the surface of a photo gets the colour of the look."""


def surface(
    rng: np.random.Generator,
    height: int,
    width: int,
    look: Look,
    background: Background,
) -> Picture:
    """Make a surface with the shading of a look.

    Args:
        rng: gives the random draws.
        height: px.
        width: px.
        look: gives colour and shading.
        background: gives the texture.
    """
    colour = np.asarray(look.paper, np.float32)
    if background.photo is not None:
        part = _cut(rng, background.photo, height, width)
        mean = part.mean((0, 1))
        texture, colour = part - mean, colour if background.recolour else mean
    else:
        texture = _MATERIALS[background.material](rng, height, width)[:, :, None]
    deviation = float((texture @ LUMINANCE if texture.shape[2] == 3 else texture).std())
    # Measured shading includes the slope of the light, so that the texture gets only a share of it.
    texture *= np.float32(look.shading * rng.uniform(0.3, 0.9) / max(deviation, 1.0))
    return _flatten(np.clip(colour + texture, 0, 255))


def ink(look: Look, on: Picture) -> NDArray[np.float32]:
    """Return the ink of a look, changed if necessary so that it differs by ``CONTRAST`` from every pixel of a
    surface."""
    bright = on @ LUMINANCE
    darkest, brightest = float(bright.min()), float(bright.max())
    colour = np.asarray(look.ink, np.float32)
    level = float(colour @ LUMINANCE)
    dark = level < float(bright.mean())
    if dark and darkest < CONTRAST:
        dark = False
    elif not dark and brightest > 255 - CONTRAST:
        dark = True
    if dark:
        return colour * np.float32(min(1.0, (darkest - CONTRAST) / max(level, 1.0)))
    lifted = max(0.0, brightest + CONTRAST - level) / max(255 - level, 1.0)
    return colour + (255 - colour) * np.float32(lifted)


def relief(rng: np.random.Generator, on: Picture, cover: NDArray[np.float32]) -> Picture:
    """Emboss a text: one side is lit, the other in shadow.

    Args:
        rng: gives the random draws.
        on: the surface.
        cover: the text, 0 to 255, shape (height, width).
    """
    angle = rng.uniform(0, 2 * math.pi)
    soft = cv2.GaussianBlur(cover, (0, 0), 0.8)
    slope = math.cos(angle) * cv2.Sobel(soft, cv2.CV_32F, 1, 0) + math.sin(angle) * cv2.Sobel(
        soft, cv2.CV_32F, 0, 1
    )
    steepest = max(1.0, float(np.abs(slope).max()))
    strength = CONTRAST * rng.uniform(1.5, 3)
    # Keep room for light on dark surfaces, and for shadow on bright ones.
    on = CONTRAST + on * np.float32(1 - 2 * CONTRAST / 255)
    # The letters themselves are in shadow, so that strokes along the light are visible too.
    ground = soft * np.float32(-CONTRAST * rng.uniform(0.6, 1.2) / 255)
    return on + (np.float32(strength / steepest) * slope + ground)[:, :, None]


def lay_edge(rng: np.random.Generator, on: Picture, corners: NDArray[np.float32], height: float) -> None:
    """Draw the edge of a label above or below the text, and the background behind it."""
    far = 3 * height
    left, right, way = (corners[0], corners[1], -1) if rng.random() < 0.5 else (corners[3], corners[2], 1)
    gap = way * height * rng.uniform(0.04, 0.15, 2)
    along = (right - left) / max(1.0, float(right[0] - left[0])) * far
    edge = np.array([left - along, right + along]) + np.outer(gap, [0, 1])
    behind = np.vstack([edge, edge[::-1] + np.array([0, way * far])])
    level = float(rng.uniform(10, 120))
    cv2.fillPoly(on, [behind.round().astype(np.int32)], (level, level, level))


def _noise(rng: np.random.Generator, height: int, width: int) -> Picture:
    return rng.standard_normal((max(1, height), max(1, width)), np.float32)


def _waves(rng: np.random.Generator, height: int, width: int, cell: float) -> Picture:
    """Draw smooth variation with a scale of about ``cell`` px."""
    points = _noise(rng, max(2, round(height / cell)), max(2, round(width / cell)))
    return np.asarray(cv2.resize(points, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _plastic(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Draw a smooth surface with uneven light and a slight grain."""
    return _waves(rng, height, width, height / 2) + 0.25 * _waves(rng, height, width, 3)


def _paper(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Draw fibres: a fine grain in clouds."""
    return 0.5 * _waves(rng, height, width, 2) + 0.5 * _waves(rng, height, width, height / 4)


def _metal(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Draw brushed metal: streaks along the line, with brighter places."""
    streaks = cv2.blur(_noise(rng, height, width), (max(3, width // 3), 1)) * np.float32((width / 3) ** 0.5)
    return np.asarray(streaks, np.float32) + _waves(rng, height, width, height)


def _concrete(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Draw grains of every size, and pits."""
    sizes = (height / 3, height / 8, 2)
    grains = sum((_waves(rng, height, width, size) for size in sizes), np.zeros((height, width), np.float32))
    return np.where(grains < -2.2, grains - 2, grains)


_MATERIALS = {"plastic": _plastic, "paper": _paper, "metal": _metal, "concrete": _concrete}


def _cut(rng: np.random.Generator, path: Path, height: int, width: int) -> Picture:
    """Return the emptiest of a few places in a photo, because other writing would be a second text."""
    photo, edges = _photo(path)
    scale = min(rng.uniform(0.3, 1.2), photo.shape[0] / height, photo.shape[1] / width)
    rows, columns = max(1, int(height * scale)), max(1, int(width * scale))
    top = rng.integers(photo.shape[0] - rows + 1, size=_TRIED)
    left = rng.integers(photo.shape[1] - columns + 1, size=_TRIED)
    inside = edges[top + rows, left + columns] - edges[top, left + columns]
    best = int(np.argmin(inside - edges[top + rows, left] + edges[top, left]))
    part = photo[top[best] : top[best] + rows, left[best] : left[best] + columns]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _flatten(on: Picture) -> Picture:
    """Move a surface towards its mean until its luminance differs by at most ``_SPREAD``."""
    bright = on @ LUMINANCE
    spread = float(bright.max() - bright.min())
    if spread <= _SPREAD:
        return on
    mean = on.mean((0, 1))
    return np.asarray(mean + (on - mean) * np.float32(_SPREAD / spread), np.float32)


@lru_cache(maxsize=4)
def _photo(path: Path) -> tuple[image.Crop, NDArray[np.float64]]:
    """Return a photo, and the sums of its gradients above and left of every pixel."""
    photo = image.read(path)
    scale = _PHOTO_SIDE / max(photo.shape[:2])
    if scale < 1:
        photo = np.asarray(
            cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    slope = cv2.morphologyEx(
        cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
    )
    return photo, np.asarray(cv2.integral(slope, sdepth=cv2.CV_64F), np.float64)
