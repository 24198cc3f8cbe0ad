"""A text in a font as a mask of ink: spacing, width and weight of its characters, in print or in dots."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from linetune.config.schema import Style
from linetune.core import scripts
from linetune.core.reading_order import is_right_to_left
from linetune.synth import fonts
from linetune.synth.looks import Look, depths

Mask = NDArray[np.uint8]
"""Ink in grey levels, shape (height, width)."""

_STRETCH = (0.6, 1.7)
"""Limits of the factor on the width of characters."""
_WEIGHT = 0.09
"""Largest change of the width of strokes, relative to the height of the text."""
_ROWS = {"dots": (10, 14), "peened": (13, 18)}
"""Limits of the rows of dots in the height of the text."""
_DOTTED = 1.2
"""Least width of a stroke under dots, relative to the distance of dots."""
_LOST = 0.35
"""Share of a character that can be cut off so that people still read it."""


def draw(
    rng: np.random.Generator, text: str, font: fonts.Font, look: Look, style: Style, height: float
) -> Mask:
    """Draw a text a little larger than its final size, cut to its box.

    Args:
        rng: gives the random draws.
        text: in logical order. The font draws all of it.
        font: the font.
        look: gives the widths, distances and strokes.
        style: how the text is made, such as print or dots.
        height: final height of the text, px.
    """
    size = _size(font, height)
    tall = font.height * size
    stretch = float(np.clip(1.06 * look.glyph / (font.width / font.height), *_STRETCH))
    # The space that the font leaves between two characters is part of the distance.
    gap = (look.pitch - look.glyph) / stretch - (font.advance - font.width) / font.height
    mask = _set(text, font, size, spread=tall * float(np.clip(gap, -0.03, 0.9)))
    if abs(stretch - 1) > 0.04:
        wide = max(1, round(mask.shape[1] * stretch))
        mask = np.asarray(cv2.resize(mask, (wide, mask.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
    if style == "outline":
        return _outlined(mask, max(2, round(tall * rng.uniform(0.06, 0.1))))
    if style in {"dots", "peened"}:
        pitch = tall / rng.uniform(*_ROWS[style])
        # Strokes that are narrower than the distance of dots would fall between them.
        own = font.stroke * min(1.0, stretch) * tall
        mask = _widened(mask, pitch) if is_shaped(text) else _weigh(mask, _missing(own, pitch))
        return _dotted(rng, mask, pitch, jitter=0.0 if style == "dots" else 0.12)
    change = round(tall * float(np.clip(look.stroke - font.stroke, -_WEIGHT, _WEIGHT)))
    weighed = _weigh(mask, change)
    # Marks are thinner than letters.
    return mask if change < 0 and is_shaped(text) and _loses(mask, weighed) else weighed


def plain(text: str, font: fonts.Font, height: float) -> Mask:
    """Draw a text as the font has it, a little larger than its final size, cut to its box."""
    return _set(text, font, _size(font, height), spread=0.0)


def expendable(mask: Mask) -> tuple[float, float, float, float]:
    """Return how much can be cut off left, above, right and below, px, so that no character is lost.

    This is :data:`_LOST` of the width of the first and the last character, and of the height of each.
    """
    seen = mask > 127
    height = len(seen)
    columns = np.flatnonzero(seen.any(0))
    # A run of columns with ink is one character, or some that touch.
    starts = np.flatnonzero(np.diff(columns, prepend=-2) > 1)
    first = seen[:, columns].argmax(0)
    last = height - seen[::-1, columns].argmax(0)
    tops, bottoms = np.minimum.reduceat(first, starts), np.maximum.reduceat(last, starts)
    widths = np.diff(np.append(starts, len(columns)))
    lost = _LOST * (bottoms - tops)
    return (
        _LOST * float(widths[0]),
        float((tops + lost).min()),
        _LOST * float(widths[-1]),
        float((height - bottoms + lost).min()),
    )


def is_shaped(text: str) -> bool:
    """Return whether a text has letters that need shaping: joined, stacked, with marks, or from right to
    left."""
    return is_right_to_left(text) or any(scripts.is_joining(c) or scripts.continues(c) for c in text)


def _size(font: fonts.Font, height: float) -> int:
    """Return the font size, px per em, for a text with a final height of ``height`` px."""
    # In few sizes, so that opened fonts are used again.
    return 8 * max(2, math.ceil(height * 1.4 / font.height / 8))


def _set(text: str, font: fonts.Font, size: int, spread: float) -> Mask:
    """Draw letters side by side, ``spread`` px further apart than in the font.

    A text of a joining script is one piece, because space would separate its letters.
    """
    whole = is_right_to_left(text) or any(map(scripts.is_joining, text))
    pieces = (text,) if whole else scripts.clusters(text)
    faces = [fonts.face(font.path, size, whole or len(piece) > 1) for piece in pieces]
    starts, x = [], float(size)
    direction = "rtl" if is_right_to_left(text) else None
    # Above and below the base line.
    above, below = 2 * size, size
    for piece, face in zip(pieces, faces, strict=True):
        starts.append(round(x))
        x += face.getlength(piece, direction=direction) + spread
        if len(piece) > 1:
            _, highest, _, lowest = face.getbbox(piece, direction=direction, anchor="ls")
            above, below = max(above, math.ceil(-highest)), max(below, math.ceil(lowest))
    canvas = Image.new("L", (math.ceil(x) + size, above + below))
    pen = ImageDraw.Draw(canvas)
    for piece, face, start in zip(pieces, faces, starts, strict=True):
        pen.text((start, above), piece, 255, face, anchor="ls", direction=direction)
    ink = np.asarray(canvas)
    rows = np.flatnonzero(ink.any(1))
    columns = np.flatnonzero(ink.any(0))
    # A single dash keeps the height of a line.
    top, bottom = min(rows[0], above - round(font.height * size * 0.9)), max(rows[-1] + 1, above)
    return ink[top:bottom, columns[0] : columns[-1] + 1]


def _weigh(mask: Mask, change: int) -> Mask:
    """Make strokes ``change`` px wider or narrower, so that none vanishes."""
    if change == 0:
        return mask
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(change) + 1, abs(change) + 1))
    if change > 0:
        # The box grows with the strokes.
        return np.asarray(cv2.dilate(np.pad(mask, change // 2 + 1), brush), np.uint8)
    lighter = np.asarray(cv2.erode(mask, brush, borderValue=0), np.uint8)
    return lighter if lighter.sum() > 0.5 * mask.sum() else mask


def _missing(stroke: float, pitch: float) -> int:
    """Return how much wider a stroke must be for dots ``pitch`` px apart, px."""
    return max(0, math.ceil(_DOTTED * pitch - stroke))


def _widened(mask: Mask, pitch: float) -> Mask:
    """Draw a shaped text with strokes that are wide enough for dots ``pitch`` px apart: no mark and no joint
    is lost."""
    parts, where = _parts(mask > 127)
    depth = depths(mask > 127)
    thinnest = min(2 * float(depth[where == part].max()) for part in range(1, parts + 1))
    step = max(1, round(pitch / 8))
    for change in range(_missing(thinnest, pitch), math.ceil(2 * pitch), step):
        wide = _weigh(mask, change)
        if _parts(_on_grid(wide, pitch))[0] <= parts:
            break
    return wide


def _loses(mask: Mask, lighter: Mask) -> bool:
    """Return whether a part of a mask, such as a dot or an accent, is lost."""
    parts, where = _parts(mask > 127)
    return len(np.unique(where[(lighter > 127) & (where > 0)])) < parts


def _parts(ink: NDArray[np.bool_]) -> tuple[int, NDArray[np.int32]]:
    """Return the number of separate parts of a mask, and the part of each pixel, from 1. 0 means outside."""
    count, where = cv2.connectedComponents(ink.astype(np.uint8))
    return count - 1, np.asarray(where, np.int32)


def _outlined(mask: Mask, line: int) -> Mask:
    """Draw the outlines of characters, ``line`` px wide, around the ink."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (line + 1, line + 1))
    padded = np.pad(mask, line)
    return np.asarray(cv2.dilate(padded, brush) - cv2.erode(padded, brush), np.uint8)


def _on_grid(mask: Mask, pitch: float) -> NDArray[np.bool_]:
    """Return the places of a grid, ``pitch`` px apart, that are more than half ink."""
    size = max(1, round(mask.shape[1] / pitch)), max(1, round(mask.shape[0] / pitch))
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127)


def _dotted(rng: np.random.Generator, mask: Mask, pitch: float, jitter: float) -> Mask:
    """Draw dots on a grid, ``pitch`` px apart, at places that are more than half ink."""
    grid = _on_grid(mask, pitch)
    y, x = np.nonzero(grid)
    out = np.zeros((math.ceil(grid.shape[0] * pitch), math.ceil(grid.shape[1] * pitch)), np.uint8)
    middle = (np.stack([x, y], 1) + 0.5 + rng.uniform(-jitter, jitter, (len(x), 2))) * pitch
    radius = pitch * rng.uniform(0.42, 0.55)
    # In 16ths of a pixel.
    for across, down in (middle * 16).round().astype(int).tolist():
        cv2.circle(out, (across, down), max(1, round(radius * 16)), 255, -1, cv2.LINE_AA, 4)
    return out
