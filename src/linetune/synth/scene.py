"""The surface that a text is printed on: a material or a part of a photo, and the ink's colour on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.config.synth import Material
from linetune.core import files, image
from linetune.synth.looks import LUMINANCE, Look

Picture = NDArray[np.float32]
"""BGR in grey levels 0 to 255, shape (height, width, 3)."""

CONTRAST = 50.0
"""Smallest difference of luminance between ink and surface before the camera, grey levels."""
_MAX_SPREAD = 90.0
"""Largest difference of luminance on a surface. It leaves room for :data:`CONTRAST` above or below."""
_PHOTO_SIDE = 2000
"""Longer side in px to which larger photos are scaled."""
_PLACES = 4
"""Number of places in a photo, of which the emptiest becomes the surface."""


def find_photos(paths: Sequence[Path] | None) -> list[Path]:
    """Return the photos among ``paths`` and in the folders among them. None means no photos.

    Raises:
        LinetuneError: a path does not exist, or a folder contains no photo.
    """
    return files.find(paths or (), image.SUFFIXES, "name photos or a folder of them, or remove backgrounds")


def make_surface(
    rng: np.random.Generator,
    size: tuple[int, int],
    look: Look,
    material: Material,
    photo: Path | None,
    recolour: bool,
) -> Picture:
    """Return a surface with the shading of a look.

    Args:
        rng: the source of random numbers.
        size: height and width, px.
        look: colour and shading.
        material: the texture, if there is no photo.
        photo: the photo to cut the surface from.
        recolour: whether a photo's surface gets the colour of the look.
    """
    colour = np.asarray(look.paper, np.float32)
    if photo is not None:
        part = _cut_photo(rng, photo, *size)
        mean = part.mean((0, 1))
        texture, colour = part - mean, colour if recolour else mean
    else:
        texture = _MATERIALS[material](rng, *size)[:, :, None]
    deviation = float((texture @ LUMINANCE if texture.shape[2] == 3 else texture).std())
    # A look's shading includes the gradient of light, which the camera adds. The texture gets a part of it.
    texture *= np.float32(look.shading * rng.uniform(0.3, 0.9) / max(deviation, 1.0))
    return _flatten(np.clip(colour + texture, 0, 255))


def ink_colour(look: Look, surface: Picture) -> NDArray[np.float32]:
    """Return the ink of a look, made darker or brighter until it stands out from every pixel of a surface.

    Returns:
        BGR of shape (3,) whose luminance differs by :data:`CONTRAST` or more from all of the surface.
    """
    luminance = surface @ LUMINANCE
    darkest, brightest = float(luminance.min()), float(luminance.max())
    colour = np.asarray(look.ink, np.float32)
    own = float(colour @ LUMINANCE)
    # The ink keeps its side, darker or brighter, if there is room for it.
    if darkest >= CONTRAST if own < float(luminance.mean()) else brightest > 255 - CONTRAST:
        return colour * np.float32(min(1.0, (darkest - CONTRAST) / max(own, 1.0)))
    share_of_white = max(0.0, brightest + CONTRAST - own) / max(255 - own, 1.0)
    return colour + (255 - colour) * np.float32(share_of_white)


def draw_relief(rng: np.random.Generator, surface: Picture, cover: NDArray[np.float32]) -> Picture:
    """Draw a text pressed into a surface or raised from it: bright on one side, dark on the other.

    Args:
        rng: the source of random numbers.
        surface: the surface, which stays unchanged.
        cover: the text's ink from 0 to 255, shape (height, width).
    """
    angle = rng.uniform(0, 2 * math.pi)
    soft = cv2.GaussianBlur(cover, (0, 0), 0.8)
    slope = math.cos(angle) * cv2.Sobel(soft, cv2.CV_32F, 1, 0) + math.sin(angle) * cv2.Sobel(
        soft, cv2.CV_32F, 0, 1
    )
    steepest = max(1.0, float(np.abs(slope).max()))
    strength = CONTRAST * rng.uniform(1.5, 3)
    # Dark surfaces need room for light, bright ones for shadow.
    compressed = CONTRAST + surface * np.float32(1 - 2 * CONTRAST / 255)
    # The letters are darker as a whole. Strokes parallel to the light have no bright or dark side.
    ground = soft * np.float32(-CONTRAST * rng.uniform(0.6, 1.2) / 255)
    return compressed + (np.float32(strength / steepest) * slope + ground)[:, :, None]


def draw_label_edge(
    rng: np.random.Generator, surface: Picture, corners: NDArray[np.float32], height: float
) -> None:
    """Draw the edge of a printed label above or below the text, and the grey area behind it.

    Args:
        rng: the source of random numbers.
        surface: the surface, which is changed.
        corners: of the text in px, from the top left clockwise, shape (4, 2).
        height: height of the text, px.
    """
    far = 3 * height
    left, right, direction = (
        (corners[0], corners[1], -1) if rng.random() < 0.5 else (corners[3], corners[2], 1)
    )
    gap = direction * height * rng.uniform(0.04, 0.15, 2)
    along = (right - left) / max(1.0, float(right[0] - left[0])) * far
    edge = np.array([left - along, right + along]) + np.outer(gap, [0, 1])
    behind = np.vstack([edge, edge[::-1] + np.array([0, direction * far])])
    grey = float(rng.uniform(10, 120))
    cv2.fillPoly(surface, [behind.round().astype(np.int32)], (grey, grey, grey))


def _noise(rng: np.random.Generator, height: int, width: int) -> Picture:
    return rng.standard_normal((max(1, height), max(1, width)), np.float32)


def _waves(rng: np.random.Generator, height: int, width: int, cell: float) -> Picture:
    """Return smooth noise whose hills are about ``cell`` px wide."""
    points = _noise(rng, max(2, round(height / cell)), max(2, round(width / cell)))
    return np.asarray(cv2.resize(points, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _plastic(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Return a smooth texture with a slight grain."""
    return _waves(rng, height, width, height / 2) + 0.25 * _waves(rng, height, width, 3)


def _paper(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Return a fine grain with clouds."""
    return 0.5 * _waves(rng, height, width, 2) + 0.5 * _waves(rng, height, width, height / 4)


def _metal(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Return brushed metal: streaks along the line and large bright areas."""
    streaks = cv2.blur(_noise(rng, height, width), (max(3, width // 3), 1)) * np.float32((width / 3) ** 0.5)
    return np.asarray(streaks, np.float32) + _waves(rng, height, width, height)


def _concrete(rng: np.random.Generator, height: int, width: int) -> Picture:
    """Return grains of three sizes, and dark holes."""
    sizes = (height / 3, height / 8, 2)
    grains = sum((_waves(rng, height, width, size) for size in sizes), np.zeros((height, width), np.float32))
    return np.where(grains < -2.2, grains - 2, grains)


_MATERIALS = {"plastic": _plastic, "paper": _paper, "metal": _metal, "concrete": _concrete}


def _cut_photo(rng: np.random.Generator, path: Path, height: int, width: int) -> Picture:
    """Return the emptiest of a few places in a photo, scaled to ``height`` and ``width``.

    With writing on its surface, a crop would show a second text.
    """
    photo, edges = _photo(path)
    scale = min(rng.uniform(0.3, 1.2), photo.shape[0] / height, photo.shape[1] / width)
    rows, columns = max(1, int(height * scale)), max(1, int(width * scale))
    top = rng.integers(photo.shape[0] - rows + 1, size=_PLACES)
    left = rng.integers(photo.shape[1] - columns + 1, size=_PLACES)
    inside = edges[top + rows, left + columns] - edges[top, left + columns]
    best = int(np.argmin(inside - edges[top + rows, left] + edges[top, left]))
    part = photo[top[best] :, left[best] :][:rows, :columns]
    return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _flatten(surface: Picture) -> Picture:
    """Reduce the contrast of a surface until its luminance varies by at most :data:`_MAX_SPREAD`."""
    spread = float(np.ptp(surface @ LUMINANCE))
    if spread <= _MAX_SPREAD:
        return surface
    mean = surface.mean((0, 1))
    return np.asarray(mean + (surface - mean) * np.float32(_MAX_SPREAD / spread), np.float32)


@lru_cache(maxsize=4)
def _photo(path: Path) -> tuple[image.Crop, NDArray[np.float64]]:
    """Read a photo, and return it with the integral image of its gradients."""
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
