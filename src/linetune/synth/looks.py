"""Looks: what is measured on real crops, so that rendered crops can copy it."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import Line, read_labels, spread

LUMINANCE = np.array([0.114, 0.587, 0.299], np.float32)
"""Weights of blue, green and red (Rec. 601)."""

MOST = 1000
"""Largest number of measured crops. More crops would add nothing."""

_SIDE = 64
"""Height at which shapes are measured, px."""
_LEAST_CONTRAST = 12.0
"""Least contrast between ink and surface, grey levels. Below it, they cannot be told apart."""
_SHEARS = np.linspace(-0.5, 0.5, 21)
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """The look of one crop. Rendering copies it."""

    height: float
    """Height of the crop, px."""
    top: float
    """Space above the text, relative to the height of the crop. 0 if the text is cut."""
    bottom: float
    """The same below the text."""
    side: float
    """Mean space left and right of the text, relative to the height of the crop."""
    paper: Colour
    """Colour of the surface, BGR in grey levels."""
    ink: Colour
    """Colour of the text, BGR in grey levels."""
    shading: float
    """Standard deviation of the luminance of the surface, grey levels. Light and texture cause it."""
    blur: float
    """Blur: sigma of a Gaussian, relative to the height of the crop."""
    noise: float
    """Noise on the surface: standard deviation from pixel to pixel, grey levels."""
    slant: float
    """Shear of the characters to the right, px per px."""
    stroke: float
    """Width of the strokes, relative to the height of the text."""
    glyph: float
    """Median width of the characters, relative to the height of the text. nan if they touch."""
    pitch: float
    """Median distance between the middles of characters, relative to the same. nan for a single character."""

    @property
    def contrast(self) -> float:
        """Luminance of the ink minus that of the surface, grey levels. Negative for dark ink."""
        return float(np.dot(np.subtract(self.ink, self.paper), LUMINANCE))

    @property
    def brightness(self) -> float:
        """Luminance of the surface, grey levels."""
        return float(np.dot(self.paper, LUMINANCE))

    @property
    def saturation(self) -> float:
        """Largest minus smallest colour channel of the surface, grey levels."""
        return max(self.paper) - min(self.paper)


MEASURED = (
    *(field.name for field in fields(Look) if field.name not in {"paper", "ink"}),
    "brightness",
    "saturation",
    "contrast",
)
"""Names of the scalar figures of a look."""


def measure(crop: Crop) -> Look | None:
    """Measure the look of a crop. None if text and surface cannot be told apart.

    Args:
        crop: BGR uint8 of shape (height, width, 3).
    """
    height, width = crop.shape[:2]
    if height < 6 or width < 4:
        return None
    scale = _SIDE / height
    interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    large = cv2.resize(crop, (max(8, round(width * scale)), _SIDE), interpolation=interpolation)
    grey = (large.astype(np.float32) @ LUMINANCE).clip(0, 255)
    ink = _ink(grey)
    rows = np.flatnonzero(ink.mean(1) > 0.15 * ink.mean(1).max())
    columns = np.flatnonzero(ink.any(0))
    if len(columns) == 0 or not 0.02 < ink.mean() < 0.7:
        return None
    text_height = (rows[-1] - rows[0] + 1) / _SIDE
    to_edge = depths(ink)
    from_ink = cv2.distanceTransform((~ink).astype(np.uint8), cv2.DIST_L2, 3)
    core = ink & (to_edge >= np.quantile(to_edge[ink], 0.6))
    clear = from_ink > 3
    if not clear.any():
        clear = from_ink > 1
    if not core.any() or not clear.any():
        return None
    paper, colour = np.median(large[clear], 0), np.median(large[core], 0)
    contrast = abs(float((colour - paper) @ LUMINANCE))
    if contrast < _LEAST_CONTRAST:
        return None
    glyph, pitch = _rhythm(ink, text_height * _SIDE)
    return Look(
        height=float(height),
        top=rows[0] / _SIDE,
        bottom=1 - (rows[-1] + 1) / _SIDE,
        side=(columns[0] + ink.shape[1] - 1 - columns[-1]) / 2 / _SIDE,
        paper=(float(paper[0]), float(paper[1]), float(paper[2])),
        ink=(float(colour[0]), float(colour[1]), float(colour[2])),
        shading=float(cv2.GaussianBlur(grey, (0, 0), 2)[clear].std()),
        blur=_blur(grey, ink, contrast),
        noise=_noise(crop, clear),
        slant=_slant(ink),
        stroke=stroke_width(to_edge) / (text_height * _SIDE),
        glyph=glyph,
        pitch=pitch,
    )


def measure_all(crops: Sequence[Crop]) -> list[Look]:
    """Return the looks of the crops that can be measured."""
    return [look for look in map(measure, crops) if look is not None]


def of_files(paths: Sequence[Path]) -> list[Look]:
    """Return the looks of the crops in some label files, of at most :data:`MOST` crops.

    A process measures the same files once.

    Raises:
        LinetuneError: a label file cannot be read, or no crop can be measured.
    """
    lines = read_labels(*paths)
    return list(_of_lines(tuple(spread(lines, MOST)), ", ".join(map(str, paths))))


@lru_cache(maxsize=4)
def _of_lines(lines: Sequence[Line], where: str) -> tuple[Look, ...]:
    crops = []
    for line in lines:
        # Training reports the crops that cannot be read.
        with contextlib.suppress(LinetuneError):
            crops.append(image.read(line.image))
    looks = measure_all(crops)
    if not looks:
        if not crops:
            raise LinetuneError("none of its images can be read", where, f"linetune check {where} lists them")
        raise LinetuneError("no crop on which text and surface can be told apart", where)
    return tuple(looks)


def as_table(looks: Sequence[Look]) -> dict[str, NDArray[np.float64]]:
    """Return the scalar figures of some looks by name, without nan."""
    table = {name: np.array([getattr(look, name) for look in looks], float) for name in MEASURED}
    return {name: values[np.isfinite(values)] for name, values in table.items()}


def depths(ink: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the distance of every pixel of a mask from the outside, px. 0 outside."""
    inside = np.pad(ink, 1).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)


def stroke_width(depths: NDArray[np.float32]) -> float:
    """Return the width of the strokes of a mask, px. Across a stroke, the mean depth is a quarter of it."""
    inside = depths[depths > 0]
    # Depths count from the middle of a pixel. From its edge, they are half a pixel less.
    return 4 * (float(inside.mean()) - 0.5) if len(inside) else 0.0


def _ink(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the text: of Otsu's two classes, the one with less of the border and of the area."""
    threshold, _ = cv2.threshold(grey.astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = grey <= threshold
    border = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]]).mean()
    return dark if border + dark.mean() < 1 else ~dark


def _blur(grey: NDArray[np.float32], ink: NDArray[np.bool_], contrast: float) -> float:
    """Measure blur by the steepest slopes. A step of height c, blurred with sigma, rises by c / (sigma sqrt(2
    pi))."""
    slope = np.hypot(
        cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8)
    )
    edge = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    steepest = float(np.quantile(slope[edge], 0.8)) if edge.any() else 0.0
    return contrast / (max(steepest, 1e-3) * math.sqrt(2 * math.pi)) / _SIDE


def _noise(crop: Crop, clear: NDArray[np.bool_]) -> float:
    """Measure sigma of the noise on the surface (J. Immerkaer, Fast noise variance estimation, 1996)."""
    height, width = crop.shape[:2]
    grey = crop.astype(np.float32) @ LUMINANCE
    surface = cv2.resize(clear.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    response = np.abs(cv2.filter2D(grey, -1, _NOISE_KERNEL))
    inside = cv2.erode(surface, np.ones((3, 3), np.uint8)) > 0
    inside = inside if inside.sum() >= 16 else surface > 0
    # The median, because the mean would count scratches as noise. It is 0.6745 sigma, and the mask's gain is
    # 6.
    return float(np.median(response[inside])) / 0.6745 / 6 if inside.any() else 0.0


def _slant(ink: NDArray[np.bool_]) -> float:
    """Return the shear after whose removal the columns are most uneven."""
    y, x = np.nonzero(ink)
    width = ink.shape[1]
    best, chosen = -1.0, 0.0
    for shear in _SHEARS:
        column = (x + shear * (y - _SIDE / 2) + width / 2).astype(np.int64)
        counts = np.bincount(np.clip(column, 0, 2 * width - 1))
        evenness = float(np.square(counts, dtype=np.float64).sum())
        # In a tie, the more upright shape wins.
        if evenness > best * 1.01 or (evenness > best and abs(shear) < abs(chosen)):
            best, chosen = evenness, float(shear)
    return chosen


def _rhythm(ink: NDArray[np.bool_], text_height: float) -> tuple[float, float]:
    """Return (width, distance) of characters, relative to the height of the text. nan if unknown."""
    _, _, found, middle = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    full = (found[:, cv2.CC_STAT_HEIGHT] > 0.6 * text_height) & (np.arange(len(found)) > 0)
    wide = found[:, cv2.CC_STAT_WIDTH] / text_height
    one = full & (wide < 1.3)
    # 1 and I have a distance, but their width is not typical of the font.
    widths = wide[one & (wide > 0.3)]
    distances = np.diff(np.sort(middle[one, 0])) / text_height
    distances = distances[(distances > 0.25) & (distances < 2)]
    return (
        float(np.median(widths)) if len(widths) else math.nan,
        float(np.median(distances)) if len(distances) else math.nan,
    )
