"""How the target's crops look, measured, so that rendered ones can look alike."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.core.labelfile import read_labels, spread

LUMINANCE = np.array([0.114, 0.587, 0.299], np.float32)
"""Weights of blue, green and red (Rec. 601)."""

MOST = 1000
"""Crops measured; more would tell nothing new."""

_SIDE = 64
"""Height in px at which shapes are measured."""
_LEAST_CONTRAST = 12.0
"""Of ink against surface, grey levels; below it, the two cannot be told apart."""
_SHEARS = np.linspace(-0.5, 0.5, 21)
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Look:
    """What can be measured on one crop, and set when one is rendered."""

    height: float
    """Of the crop, px."""
    top: float
    """Surface above the text, relative to the crop's height; 0 where the text is cut."""
    bottom: float
    """The same below."""
    side: float
    """Surface left and right of the text, the mean of both, relative to the crop's height."""
    paper: Colour
    """BGR of the surface, grey levels."""
    ink: Colour
    """BGR of the text, grey levels."""
    shading: float
    """Standard deviation of the surface's luminance, grey levels: what light and texture make of it."""
    blur: float
    """Sigma of the Gaussian that would blur a sharp edge as much, relative to the crop's height."""
    noise: float
    """Standard deviation from pixel to pixel on the surface, grey levels."""
    slant: float
    """Shear of the characters to the right, px a px."""
    stroke: float
    """Width of the strokes relative to the text's height."""
    glyph: float
    """Median width of the characters relative to the text's height; nan where they touch."""
    pitch: float
    """Median distance from one character's middle to the next's, likewise; nan where there is one."""

    @property
    def contrast(self) -> float:
        """Difference of luminance between ink and surface, grey levels; negative for dark ink."""
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
"""Names of a look's scalar figures."""


def measure(crop: Crop) -> Look | None:
    """The look of a crop of one line; ``None`` where text and surface cannot be told apart.

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
    """The looks of those crops that have one."""
    return [look for look in map(measure, crops) if look is not None]


def of_files(paths: Sequence[Path]) -> list[Look]:
    """The looks of the crops in some label files, of at most :data:`MOST` of them.

    Raises:
        LinetuneError: a file cannot be read, or none of its crops shows a line that can be measured.
    """
    lines = spread(read_labels(*paths), MOST)
    crops = []
    for line in lines:
        # What cannot be read lends nothing; it is told of where the crops are trained on.
        with contextlib.suppress(LinetuneError):
            crops.append(image.read(line.image))
    looks = measure_all(crops)
    if not looks:
        where = ", ".join(map(str, paths))
        if not crops:
            raise LinetuneError("none of its images can be read", where, f"linetune check {where} names them")
        raise LinetuneError("no crop on which text and surface can be told apart", where)
    return looks


def as_table(looks: Sequence[Look]) -> dict[str, NDArray[np.float64]]:
    """Every scalar figure of some looks, nan left out."""
    table = {name: np.array([getattr(look, name) for look in looks], float) for name in MEASURED}
    return {name: values[np.isfinite(values)] for name, values in table.items()}


def copied(rng: np.random.Generator, looks: Sequence[Look]) -> Look:
    """The look of one of some crops, shaken a little: a smoothed bootstrap of their distribution."""
    look = looks[int(rng.integers(len(looks)))]
    height, blur, stroke, glyph, pitch = np.exp(rng.normal(0, (0.08, 0.1, 0.08, 0.06, 0.06)))
    light, tint = rng.normal(0, 6), rng.normal(0, 2, (2, 3))
    other = looks[int(rng.integers(len(looks)))]
    return replace(
        look,
        height=look.height * height,
        paper=_shaken(look.paper, light + tint[0]),
        ink=_shaken(look.ink, light + tint[1]),
        blur=look.blur * blur,
        slant=look.slant + rng.normal(0, 0.04),
        stroke=look.stroke * stroke,
        # A crop of one character, or of touching ones, does not tell them.
        glyph=glyph * next((v for v in (look.glyph, other.glyph) if math.isfinite(v)), 0.6),
        pitch=pitch * next((v for v in (look.pitch, other.pitch) if math.isfinite(v)), 0.85),
    )


def imagined(rng: np.random.Generator) -> Look:
    """A look from anywhere, for targets of which there is no crop yet."""
    paper, ink = _imagined_colours(rng)
    glyph = rng.uniform(0.42, 0.95)
    # An eighth is cut by what found the line, above or below.
    top, bottom = np.where(rng.random(2) < 0.125, 0.0, rng.uniform(0.03, 0.2, 2))
    return Look(
        height=math.exp(rng.uniform(math.log(20), math.log(72))),
        top=float(top),
        bottom=float(bottom),
        side=rng.uniform(0.0, 0.2),
        paper=paper,
        ink=ink,
        shading=rng.uniform(1, 16),
        blur=rng.uniform(0.012, 0.042),
        noise=5 * rng.random() ** 2,
        slant=float(np.clip(rng.normal(0, 0.12), -0.35, 0.35)) if rng.random() < 0.6 else 0.0,
        stroke=rng.uniform(0.13, 0.28),
        glyph=glyph,
        pitch=glyph * (rng.uniform(1.1, 1.35) if rng.random() < 0.8 else rng.uniform(1.35, 2)),
    )


def _shaken(colour: Colour, by: NDArray[np.float64]) -> Colour:
    blue, green, red = np.clip(np.add(colour, by), 0, 255).tolist()
    return blue, green, red


def _imagined_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Mostly dark print on something light and grey; sometimes in colour, sometimes the other way round."""
    paper = rng.uniform(110, 250) + rng.normal(0, 5, 3)
    if rng.random() < 0.35:
        hue = cv2.cvtColor(
            np.array([[[rng.integers(180), rng.integers(60, 230), rng.integers(120, 256)]]], np.uint8),
            cv2.COLOR_HSV2BGR,
        )
        paper = hue[0, 0].astype(float)
    ink = rng.uniform(0, 70) + rng.normal(0, 8, 3)
    if rng.random() < 0.12:
        ink = ink * rng.uniform(0.3, 3, 3)
    if rng.random() < 0.1:
        paper, ink = ink, paper
    return _shaken((0, 0, 0), paper), _shaken((0, 0, 0), ink)


def depths(ink: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance in px of a mask's every pixel from what is outside, 0 there."""
    inside = np.pad(ink, 1).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1], np.float32)


def stroke_width(depths: NDArray[np.float32]) -> float:
    """Width of a mask's strokes, px: across one, the depths average a quarter of it."""
    inside = depths[depths > 0]
    # Of a pixel's middle; from its edge, half a pixel less.
    return 4 * (float(inside.mean()) - 0.5) if len(inside) else 0.0


def _ink(grey: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the text is: of Otsu's two classes the one with less of the crop's border and area."""
    threshold, _ = cv2.threshold(grey.astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    dark = grey <= threshold
    border = np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]]).mean()
    return dark if border + dark.mean() < 1 else ~dark


def _blur(grey: NDArray[np.float32], ink: NDArray[np.bool_], contrast: float) -> float:
    """From the steepest slopes: a step of height c blurred with sigma rises by c / (sigma sqrt(2 pi))."""
    slope = np.hypot(
        cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8)
    )
    edge = cv2.morphologyEx(ink.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    steepest = float(np.quantile(slope[edge], 0.8)) if edge.any() else 0.0
    return contrast / (max(steepest, 1e-3) * math.sqrt(2 * math.pi)) / _SIDE


def _noise(crop: Crop, clear: NDArray[np.bool_]) -> float:
    """Sigma of the noise on the surface (J. Immerkaer, Fast noise variance estimation, 1996)."""
    height, width = crop.shape[:2]
    grey = crop.astype(np.float32) @ LUMINANCE
    surface = cv2.resize(clear.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    response = np.abs(cv2.filter2D(grey, -1, _NOISE_KERNEL))
    inside = cv2.erode(surface, np.ones((3, 3), np.uint8)) > 0
    inside = inside if inside.sum() >= 16 else surface > 0
    # The median, since the mean would take every scratch for noise: 0.6745 sigma, and the mask's gain is 6.
    return float(np.median(response[inside])) / 0.6745 / 6 if inside.any() else 0.0


def _slant(ink: NDArray[np.bool_]) -> float:
    """The shear that leaves the columns most uneven once it is taken back."""
    y, x = np.nonzero(ink)
    width = ink.shape[1]
    best, chosen = -1.0, 0.0
    for shear in _SHEARS:
        column = (x + shear * (y - _SIDE / 2) + width / 2).astype(np.int64)
        counts = np.bincount(np.clip(column, 0, 2 * width - 1))
        evenness = float(np.square(counts, dtype=np.float64).sum())
        # An upright shape wins a tie.
        if evenness > best * 1.01 or (evenness > best and abs(shear) < abs(chosen)):
            best, chosen = evenness, float(shear)
    return chosen


def _rhythm(ink: NDArray[np.bool_], text_height: float) -> tuple[float, float]:
    """(width of a character, distance of two) relative to the text's height, nan where unknown."""
    _, _, found, middle = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    full = (found[:, cv2.CC_STAT_HEIGHT] > 0.6 * text_height) & (np.arange(len(found)) > 0)
    wide = found[:, cv2.CC_STAT_WIDTH] / text_height
    one = full & (wide < 1.3)
    # A 1 and an I have a distance but no width that tells of the font's.
    widths = wide[one & (wide > 0.3)]
    distances = np.diff(np.sort(middle[one, 0])) / text_height
    distances = distances[(distances > 0.25) & (distances < 2)]
    return (
        float(np.median(widths)) if len(widths) else math.nan,
        float(np.median(distances)) if len(distances) else math.nan,
    )
