"""The look of a crop: size, colours, shading, blur, noise, slant and spacing. Rendering sets all of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

LUMINANCE = np.array([0.114, 0.587, 0.299], np.float32)
"""Weights of blue, green and red in the luminance (ITU-R BT.601)."""

_DEFAULT_GLYPH, _DEFAULT_PITCH = 0.6, 0.85
"""Values of a look's ``glyph`` and ``pitch`` if no crop shows them."""

Colour = tuple[float, float, float]
"""Blue, green and red in grey levels, 0 to 255."""


@dataclass(frozen=True, slots=True)
class Look:
    """The look of one crop, measured on a real crop or drawn at random."""

    height: float
    """Height of the crop, px."""
    top: float
    """Height of the surface above the text, as a share of the crop's height. 0 if the text is cut."""
    bottom: float
    """Height of the surface below the text, as a share of the crop's height. 0 if the text is cut."""
    side: float
    """Width of the surface left and right of the text, the mean of both, as a share of the crop's height."""
    paper: Colour
    """Colour of the surface."""
    ink: Colour
    """Colour of the text."""
    shading: float
    """Standard deviation of the surface's luminance, grey levels. Light and texture cause it."""
    blur: float
    """Sigma of the Gaussian that blurs a sharp edge as much, as a share of the crop's height."""
    noise: float
    """Standard deviation of the pixel noise on the surface, grey levels."""
    slant: float
    """Shear of the characters to the right, px for each px of height."""
    stroke: float
    """Width of the strokes, as a share of the text's height."""
    glyph: float
    """Median width of the characters, as a share of the text's height. nan if they touch."""
    pitch: float
    """Median distance between the centres of two neighbours, as a share of the text's height.

    nan if there is one character.
    """

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


FIGURES = (
    *(field.name for field in fields(Look) if field.name not in {"paper", "ink"}),
    "brightness",
    "saturation",
    "contrast",
)
"""Names of a look's attributes that are single numbers."""


def figures_of(looks: Sequence[Look]) -> dict[str, NDArray[np.float64]]:
    """Return the values of each of :data:`FIGURES` over some looks, without nan."""
    table = {name: np.array([getattr(look, name) for look in looks], float) for name in FIGURES}
    return {name: values[np.isfinite(values)] for name, values in table.items()}


def vary_look(rng: np.random.Generator, looks: Sequence[Look]) -> Look:
    """Copy one of the looks at random and change it a little: a smoothed bootstrap."""
    look = looks[int(rng.integers(len(looks)))]
    height, blur, stroke, glyph, pitch = np.exp(rng.normal(0, (0.08, 0.1, 0.08, 0.06, 0.06)))
    light, tint = rng.normal(0, 6), rng.normal(0, 2, (2, 3))
    other = looks[int(rng.integers(len(looks)))]
    return replace(
        look,
        height=look.height * height,
        paper=_clipped(np.add(look.paper, light + tint[0])),
        ink=_clipped(np.add(look.ink, light + tint[1])),
        blur=look.blur * blur,
        slant=look.slant + rng.normal(0, 0.04),
        stroke=look.stroke * stroke,
        # A second look replaces what could not be measured on the first.
        glyph=glyph * next((v for v in (look.glyph, other.glyph) if math.isfinite(v)), _DEFAULT_GLYPH),
        pitch=pitch * next((v for v in (look.pitch, other.pitch) if math.isfinite(v)), _DEFAULT_PITCH),
    )


def random_look(rng: np.random.Generator) -> Look:
    """Draw a look from wide ranges, for a task without real crops."""
    paper, ink = _random_colours(rng)
    glyph = rng.uniform(0.42, 0.95)
    # Some text detectors cut the text. Here one text in eight is cut above, and one in eight below.
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


def _random_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Draw colours of surface and ink: mostly dark on light grey, sometimes coloured or swapped."""
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
    return _clipped(paper), _clipped(ink)


def _clipped(colour: ArrayLike) -> Colour:
    blue, green, red = np.clip(colour, 0, 255).tolist()
    return blue, green, red
