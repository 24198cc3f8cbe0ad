"""Measures the looks of real crops."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import Line, read_labels, spread
from linetune.synth.looks import LUMINANCE, Look

MAX_CROPS = 1000
"""Largest number of crops to measure. More would hardly change the distribution of looks."""

_HEIGHT = 64
"""Height in px to which a crop is scaled before its shapes are measured."""
_MIN_CONTRAST = 12.0
"""Smallest contrast, grey levels. Below it, ink and surface are too alike to be measured."""
_SHEARS = np.linspace(-0.5, 0.5, 21)
"""Shears to try when the slant is measured."""
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def measure(crop: Crop) -> Look | None:
    """Measure the look of a crop of one text line.

    Args:
        crop: BGR uint8 of shape (height, width, 3).

    Returns:
        None if the crop is too small, or if text and surface are too alike.
    """
    height, width = crop.shape[:2]
    if height < 6 or width < 4:
        return None
    scale = _HEIGHT / height
    interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    scaled = cv2.resize(crop, (max(8, round(width * scale)), _HEIGHT), interpolation=interpolation)
    grey = (scaled.astype(np.float32) @ LUMINANCE).clip(0, 255)
    ink = _find_ink(grey)
    rows = np.flatnonzero(ink.mean(1) > 0.15 * ink.mean(1).max())
    columns = np.flatnonzero(ink.any(0))
    if len(columns) == 0 or not 0.02 < ink.mean() < 0.7:
        return None
    text_height = (rows[-1] - rows[0] + 1) / _HEIGHT
    depth = depth_inside(ink)
    # Colours are measured in the middle of the strokes and away from them, where no edge is blurred.
    core = ink & (depth >= np.quantile(depth[ink], 0.6))
    from_ink = cv2.distanceTransform((~ink).astype(np.uint8), cv2.DIST_L2, 3)
    clear = from_ink > (3 if from_ink.max() > 3 else 1)
    if not core.any() or not clear.any():
        return None
    paper, colour = (np.median(scaled[where], 0) for where in (clear, core))
    contrast = abs(float((colour - paper) @ LUMINANCE))
    if contrast < _MIN_CONTRAST:
        return None
    glyph, pitch = _glyph_and_pitch(ink, text_height * _HEIGHT)
    return Look(
        height=float(height),
        top=rows[0] / _HEIGHT,
        bottom=1 - (rows[-1] + 1) / _HEIGHT,
        side=(columns[0] + ink.shape[1] - 1 - columns[-1]) / 2 / _HEIGHT,
        paper=tuple(paper.tolist()),
        ink=tuple(colour.tolist()),
        shading=float(cv2.GaussianBlur(grey, (0, 0), 2)[clear].std()),
        blur=_blur(grey, ink, contrast),
        noise=_noise(crop, clear),
        slant=_slant(ink),
        stroke=stroke_width(depth) / (text_height * _HEIGHT),
        glyph=glyph,
        pitch=pitch,
    )


def measure_all(crops: Sequence[Crop]) -> list[Look]:
    """Return the looks of all crops that can be measured."""
    return [look for look in map(measure, crops) if look is not None]


def measure_files(paths: Sequence[Path]) -> list[Look]:
    """Return the looks of at most :data:`MAX_CROPS` crops of some label files.

    A process measures the same crops once.

    Raises:
        LinetuneError: a label file cannot be read, or none of its crops can be measured.
    """
    lines = spread(read_labels(*paths), MAX_CROPS)
    return list(_measure_lines(tuple(lines), ", ".join(map(str, paths))))


@lru_cache(maxsize=4)
def _measure_lines(lines: Sequence[Line], where: str) -> tuple[Look, ...]:
    crops = readable_crops(lines)
    looks = measure_all(crops)
    if not looks:
        if not crops:
            raise LinetuneError("no image can be read", where, f"`linetune check {where}` lists the reasons")
        raise LinetuneError("text and surface are too alike on all crops", where, "name other looks")
    return tuple(looks)


def readable_crops(lines: Sequence[Line]) -> list[Crop]:
    """Read the images of some lines. Leave out images that cannot be read, because training reports them."""
    crops = []
    for line in lines:
        with contextlib.suppress(LinetuneError):
            crops.append(image.read(line.image))
    return crops


def depth_inside(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance in px of every pixel of a mask from the outside. It is 0 outside.

    What lies beyond the mask's border counts as outside.
    """
    inside = np.pad(mask, 1).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)


def stroke_width(depth: NDArray[np.float32]) -> float:
    """Return the mean width of a mask's strokes in px, from its :func:`depth_inside`.

    Across a stroke, the distance from its edge averages a quarter of its width.
    """
    inside = depth[depth > 0]
    # Depths count from the centre of the first pixel outside. The edge is half a pixel nearer.
    return 4 * (float(inside.mean()) - 0.5) if len(inside) else 0.0


def _find_ink(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find the text: of Otsu's two classes, the one with less of the crop's border and area."""
    threshold, _ = cv2.threshold(grey.astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = grey <= threshold
    border = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]]).mean()
    return dark if border + dark.mean() < 1 else ~dark


def _blur(grey: NDArray[np.float32], ink: NDArray[np.bool_], contrast: float) -> float:
    """Measure :attr:`Look.blur` on the steepest edges.

    An edge of height c, blurred with sigma, has the slope c / (sigma sqrt(2 pi)) at its centre.
    """
    slope = np.hypot(*(cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (1, 0)))
    edge = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    steepest = float(np.quantile(slope[edge], 0.8)) if edge.any() else 0.0
    return contrast / (max(steepest, 1e-3) * math.sqrt(2 * math.pi)) / _HEIGHT


def _noise(crop: Crop, clear: NDArray[np.bool_]) -> float:
    """Measure :attr:`Look.noise` (J. Immerkaer, Fast noise variance estimation, 1996).

    Args:
        crop: the crop in its own size.
        clear: where the surface shows, in the scaled crop.
    """
    height, width = crop.shape[:2]
    grey = crop.astype(np.float32) @ LUMINANCE
    surface = cv2.resize(clear.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    response = np.abs(cv2.filter2D(grey, -1, _NOISE_KERNEL))
    inside = cv2.erode(surface, np.ones((3, 3), np.uint8)) > 0
    inside = inside if inside.sum() >= 16 else surface > 0
    # A mean would count every scratch as noise. The median of a normal distribution's absolute values is
    # 0.6745 sigma, and the kernel multiplies sigma by 6.
    return float(np.median(response[inside])) / 0.6745 / 6 if inside.any() else 0.0


def _slant(ink: NDArray[np.bool_]) -> float:
    """Measure :attr:`Look.slant`: removing that shear makes the pixel counts of the columns most uneven."""
    y, x = np.nonzero(ink)
    width = ink.shape[1]
    most_uneven, slant = -1.0, 0.0
    for shear in _SHEARS:
        column = (x + shear * (y - _HEIGHT / 2) + width / 2).astype(np.int64)
        counts = np.bincount(np.clip(column, 0, 2 * width - 1))
        unevenness = float(np.square(counts, dtype=np.float64).sum())
        # If two shears are nearly equal, the smaller one wins.
        if unevenness > most_uneven * 1.01 or (unevenness > most_uneven and abs(shear) < abs(slant)):
            most_uneven, slant = unevenness, float(shear)
    return slant


def _glyph_and_pitch(ink: NDArray[np.bool_], text_height: float) -> tuple[float, float]:
    """Measure :attr:`Look.glyph` and :attr:`Look.pitch` on the parts of the ink that are one character."""
    _, _, parts, centre = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    # Part 0 is the surface.
    full = (parts[:, cv2.CC_STAT_HEIGHT] > 0.6 * text_height) & (np.arange(len(parts)) > 0)
    wide = parts[:, cv2.CC_STAT_WIDTH] / text_height
    single = full & (wide < 1.3)
    # Narrow characters such as 1 and I would make the median width depend on the text.
    widths = wide[single & (wide > 0.3)]
    distances = np.diff(np.sort(centre[single, 0])) / text_height
    distances = distances[(distances > 0.25) & (distances < 2)]
    glyph, pitch = (float(np.median(some)) if len(some) else math.nan for some in (widths, distances))
    return glyph, pitch
