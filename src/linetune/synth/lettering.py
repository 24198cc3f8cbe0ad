"""A text in a font as a mask of ink: spacing, width and weight of its characters, printed or made of dots."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from linetune.config.schema import Style
from linetune.synth import fonts
from linetune.synth.looks import Look

Mask = NDArray[np.uint8]
"""Ink in grey levels, shape (height, width)."""

_STRETCH = (0.6, 1.7)
"""Least and most that characters are narrowed or widened."""
_WEIGHT = 0.09
"""Most that strokes get thinner or thicker, relative to the text's height."""


def draw(
    rng: np.random.Generator, text: str, font: fonts.Font, look: Look, style: Style, height: float
) -> Mask:
    """Draw a text a little larger than it will be seen, cut to its box.

    Args:
        rng: where the random draws come from.
        text: every character is in the font.
        font: what it is drawn in.
        look: whose widths, distances and strokes are aimed at.
        style: how the text is made.
        height: of the text as it will be seen, px.
    """
    # In few sizes, so that opened fonts serve again.
    size = 8 * max(2, math.ceil(height * 1.4 / font.height / 8))
    tall = font.height * size
    stretch = float(np.clip(1.06 * look.glyph / (font.width / font.height), *_STRETCH))
    # What the font leaves between two characters is part of the distance aimed at.
    gap = (look.pitch - look.glyph) / stretch - (font.advance - font.width) / font.height
    mask = _set(text, font, size, spread=tall * float(np.clip(gap, -0.03, 0.9)))
    if style == "print":
        mask = _weigh(mask, round(tall * float(np.clip(look.stroke - font.stroke, -_WEIGHT, _WEIGHT))))
    elif style == "outline":
        mask = _outlined(mask, max(2, round(tall * rng.uniform(0.06, 0.1))))
    elif style in {"dots", "peened"}:
        rows = int(rng.integers(9, 13) if style == "dots" else rng.integers(12, 17))
        mask = _dotted(rng, mask, rows, tall, jitter=0.0 if style == "dots" else 0.15)
    if abs(stretch - 1) > 0.04:
        wide = max(1, round(mask.shape[1] * stretch))
        mask = np.asarray(cv2.resize(mask, (wide, mask.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
    return mask


def _set(text: str, font: fonts.Font, size: int, spread: float) -> Mask:
    """Characters side by side on a line, ``spread`` px further apart than the font has them."""
    face = fonts.face(font.path, size)
    starts, x = [], float(size)
    for character in text:
        starts.append(round(x))
        x += face.getlength(character) + spread
    canvas = Image.new("L", (math.ceil(x) + size, 3 * size))
    pen = ImageDraw.Draw(canvas)
    for character, start in zip(text, starts, strict=True):
        pen.text((start, 2 * size), character, 255, face, anchor="ls")
    ink = np.asarray(canvas)
    rows = np.flatnonzero(ink.any(1))
    columns = np.flatnonzero(ink.any(0))
    # A lone dash keeps the height of a line.
    top, bottom = min(rows[0], 2 * size - round(font.height * size * 0.9)), max(rows[-1] + 1, 2 * size)
    return ink[top:bottom, columns[0] : columns[-1] + 1]


def _weigh(mask: Mask, change: int) -> Mask:
    """Strokes ``change`` px wider or narrower, never so that they vanish."""
    if change == 0:
        return mask
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(change) + 1, abs(change) + 1))
    if change > 0:
        # The box grows with the strokes.
        return np.asarray(cv2.dilate(np.pad(mask, change // 2 + 1), brush), np.uint8)
    lighter = np.asarray(cv2.erode(mask, brush, borderValue=0), np.uint8)
    return lighter if lighter.sum() > 0.5 * mask.sum() else mask


def _outlined(mask: Mask, line: int) -> Mask:
    """The characters' outlines, ``line`` px wide, around what was ink."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (line + 1, line + 1))
    padded = np.pad(mask, line)
    return np.asarray(cv2.dilate(padded, brush) - cv2.erode(padded, brush), np.uint8)


def _dotted(rng: np.random.Generator, mask: Mask, rows: int, tall: float, jitter: float) -> Mask:
    """Dots on a grid of ``rows`` rows to the text's height, wherever there was ink."""
    pitch = tall / rows
    size = max(1, round(mask.shape[1] / pitch)), max(1, round(mask.shape[0] / pitch))
    grid = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    y, x = np.nonzero(grid > 110)
    out = np.zeros((math.ceil(size[1] * pitch), math.ceil(size[0] * pitch)), np.uint8)
    middle = (np.stack([x, y], 1) + 0.5 + rng.uniform(-jitter, jitter, (len(x), 2))) * pitch
    radius = pitch * rng.uniform(0.4, 0.55)
    # In 16ths of a pixel.
    for across, down in (middle * 16).round().astype(int).tolist():
        cv2.circle(out, (across, down), max(1, round(radius * 16)), 255, -1, cv2.LINE_AA, 4)
    return out
