"""The look of a rendered crop: copied from a real crop with small changes, or imagined."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.synth.looks import Colour, Look


def copied(rng: np.random.Generator, looks: Sequence[Look]) -> Look:
    """Copy one of some looks with small random changes: a smoothed bootstrap of their distribution."""
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
        # A crop with one character, or with touching ones, does not show them.
        glyph=glyph * next((v for v in (look.glyph, other.glyph) if math.isfinite(v)), 0.6),
        pitch=pitch * next((v for v in (look.pitch, other.pitch) if math.isfinite(v)), 0.85),
    )


def imagined(rng: np.random.Generator) -> Look:
    """Imagine a look, for a task without crops."""
    paper, ink = _imagined_colours(rng)
    glyph = rng.uniform(0.42, 0.95)
    # An eighth of the crops is cut above or below by the text detector.
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
    """Draw colours: mostly dark print on light grey, sometimes coloured, sometimes reversed."""
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
