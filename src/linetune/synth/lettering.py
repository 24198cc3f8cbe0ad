"""Draws a text in a font as a mask of ink: printed, as an outline, or made of dots."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from linetune.config.synth import Style
from linetune.core import scripts
from linetune.core.reading_order import is_right_to_left
from linetune.synth import fonts
from linetune.synth.looks import Look
from linetune.synth.measure import depth_inside

Mask = NDArray[np.uint8]
"""Ink from 0 (none) to 255, shape (height, width)."""

_STRETCH = (0.6, 1.7)
"""Smallest and largest factor for the width of the characters."""
_MAX_WEIGHT_CHANGE = 0.09
"""Largest change of the stroke width, as a share of the text's height."""
_DOT_ROWS = {"dots": (10, 14), "peened": (13, 18)}
"""Smallest and largest number of rows of dots in the text's height."""
_MIN_STROKE_FOR_DOTS = 1.2
"""Smallest stroke width that can be drawn with dots, as a share of their pitch."""
_MAX_CUT = 0.35
"""Largest share of a character that can be cut off without making it unreadable."""


def draw(
    rng: np.random.Generator, text: str, font: fonts.Font, look: Look, style: Style, height: float
) -> Mask:
    """Draw a text with the spacing, character width and stroke width of a look.

    Args:
        rng: the source of random numbers.
        text: in logical order. The font must draw all of it.
        font: the font.
        look: the widths, distances and strokes to approach.
        style: how the text is made.
        height: height in px at which the text will be shown. The mask is a little larger.

    Returns:
        The mask, without empty columns at its ends. A text of dashes keeps the height of a line.
    """
    size = _font_size(font, height)
    text_height = font.height * size
    stretch = float(np.clip(1.06 * look.glyph / (font.width / font.height), *_STRETCH))
    # The distance in the look includes the font's own space between two characters.
    gap = (look.pitch - look.glyph) / stretch - (font.advance - font.width) / font.height
    mask = _set_text(text, font, size, spacing=text_height * float(np.clip(gap, -0.03, 0.9)))
    if abs(stretch - 1) > 0.04:
        wide = max(1, round(mask.shape[1] * stretch))
        mask = np.asarray(cv2.resize(mask, (wide, mask.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)
    if style == "outline":
        return _outline(mask, max(2, round(text_height * rng.uniform(0.06, 0.1))))
    if style in {"dots", "peened"}:
        pitch = text_height / rng.uniform(*_DOT_ROWS[style])
        # Strokes narrower than the pitch would fall between the dots.
        if needs_shaping(text):
            mask = _widen_shaped(mask, pitch)
        else:
            stroke = font.stroke * min(1.0, stretch) * text_height
            mask = _change_weight(mask, _missing_width(stroke, pitch))
        return _dots(rng, mask, pitch, jitter=0.0 if style == "dots" else 0.12)
    difference = np.clip(look.stroke - font.stroke, -_MAX_WEIGHT_CHANGE, _MAX_WEIGHT_CHANGE)
    change = round(text_height * float(difference))
    changed = _change_weight(mask, change)
    # Marks are thinner than letters. Thinner strokes may therefore remove the marks.
    return mask if change < 0 and needs_shaping(text) and _loses_part(mask, changed) else changed


def draw_plain(text: str, font: fonts.Font, height: float) -> Mask:
    """Draw a text with the font's own spacing and widths.

    Args:
        text: in logical order. The font must draw all of it.
        font: the font.
        height: height in px at which the text will be shown. The mask is a little larger.
    """
    return _set_text(text, font, _font_size(font, height), spacing=0.0)


def max_cuts(mask: Mask) -> tuple[float, float, float, float]:
    """Return how much of a mask can be cut off while every character stays readable.

    A cut takes at most :data:`_MAX_CUT` of a character's width or height.

    Returns:
        The largest cuts left, above, right and below, px.
    """
    ink = mask > 127
    height = len(ink)
    columns = np.flatnonzero(ink.any(0))
    # Columns with ink that follow each other are one character, or several that touch.
    starts = np.flatnonzero(np.diff(columns, prepend=-2) > 1)
    first = ink[:, columns].argmax(0)
    last = height - ink[::-1, columns].argmax(0)
    tops, bottoms = np.minimum.reduceat(first, starts), np.maximum.reduceat(last, starts)
    widths = np.diff(np.append(starts, len(columns)))
    cuts = _MAX_CUT * (bottoms - tops)
    return (
        _MAX_CUT * float(widths[0]),
        float((tops + cuts).min()),
        _MAX_CUT * float(widths[-1]),
        float((height - bottoms + cuts).min()),
    )


def needs_shaping(text: str) -> bool:
    """Return whether a text has letters that join, stack or have marks, or runs from right to left."""
    return is_right_to_left(text) or any(scripts.is_joining(c) or scripts.continues(c) for c in text)


def _font_size(font: fonts.Font, height: float) -> int:
    """Return the font size in px for a text that will be shown ``height`` px high."""
    # With multiples of 8, few sizes of a font are opened, and each size is used again.
    return 8 * max(2, math.ceil(height * 1.4 / font.height / 8))


def _set_text(text: str, font: fonts.Font, size: int, spacing: float) -> Mask:
    """Set a text on one line, with ``spacing`` px between two letters in addition to the font's own.

    A text that joins its letters or runs from right to left is set as one piece, without such spacing.
    """
    whole = is_right_to_left(text) or any(map(scripts.is_joining, text))
    pieces = (text,) if whole else scripts.clusters(text)
    faces = [fonts.open_face(font.path, size, whole or len(piece) > 1) for piece in pieces]
    starts, x = [], float(size)
    direction = "rtl" if is_right_to_left(text) else None
    # Heights of the canvas above and below the baseline.
    above, below = 2 * size, size
    for piece, face in zip(pieces, faces, strict=True):
        starts.append(round(x))
        x += face.getlength(piece, direction=direction) + spacing
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
    # A text of dashes alone still gets the height of a line.
    top, bottom = min(rows[0], above - round(font.height * size * 0.9)), max(rows[-1] + 1, above)
    return ink[top:bottom, columns[0] : columns[-1] + 1]


def _change_weight(mask: Mask, change: int) -> Mask:
    """Make strokes ``change`` px wider, or narrower if it is negative and half of the ink remains."""
    if change == 0:
        return mask
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(change) + 1, abs(change) + 1))
    if change > 0:
        return np.asarray(cv2.dilate(np.pad(mask, change // 2 + 1), brush), np.uint8)
    lighter = np.asarray(cv2.erode(mask, brush, borderValue=0), np.uint8)
    return lighter if lighter.sum() > 0.5 * mask.sum() else mask


def _missing_width(stroke: float, pitch: float) -> int:
    """Return how many px a stroke must grow so that dots ``pitch`` px apart can draw it."""
    return max(0, math.ceil(_MIN_STROKE_FOR_DOTS * pitch - stroke))


def _widen_shaped(mask: Mask, pitch: float) -> Mask:
    """Widen a shaped text until dots ``pitch`` px apart show every mark and keep joined letters joined."""
    parts, where = _parts(mask > 127)
    depth = depth_inside(mask > 127)
    thinnest = min(2 * float(depth[where == part].max()) for part in range(1, parts + 1))
    step = max(1, round(pitch / 8))
    for change in range(_missing_width(thinnest, pitch), math.ceil(2 * pitch), step):
        wide = _change_weight(mask, change)
        if _parts(_on_grid(wide, pitch))[0] <= parts:
            break
    return wide


def _loses_part(mask: Mask, lighter: Mask) -> bool:
    """Return whether a part of a mask, such as a dot or an accent, is missing from a lighter one."""
    parts, where = _parts(mask > 127)
    return len(np.unique(where[(lighter > 127) & (where > 0)])) < parts


def _parts(ink: NDArray[np.bool_]) -> tuple[int, NDArray[np.int32]]:
    """Return the number of parts that do not touch, and the part of every pixel: from 1, 0 outside."""
    count, where = cv2.connectedComponents(ink.astype(np.uint8))
    return count - 1, np.asarray(where, np.int32)


def _outline(mask: Mask, line: int) -> Mask:
    """Draw the outlines of the characters, ``line`` px wide."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (line + 1, line + 1))
    padded = np.pad(mask, line)
    return np.asarray(cv2.dilate(padded, brush) - cv2.erode(padded, brush), np.uint8)


def _on_grid(mask: Mask, pitch: float) -> NDArray[np.bool_]:
    """Return the cells of a grid, ``pitch`` px wide, of which more than half is ink."""
    size = max(1, round(mask.shape[1] / pitch)), max(1, round(mask.shape[0] / pitch))
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127)


def _dots(rng: np.random.Generator, mask: Mask, pitch: float, jitter: float) -> Mask:
    """Draw a mask with dots ``pitch`` px apart, each moved by up to ``jitter`` of the pitch."""
    grid = _on_grid(mask, pitch)
    y, x = np.nonzero(grid)
    out = np.zeros((math.ceil(grid.shape[0] * pitch), math.ceil(grid.shape[1] * pitch)), np.uint8)
    centres = (np.stack([x, y], 1) + 0.5 + rng.uniform(-jitter, jitter, (len(x), 2))) * pitch
    radius = pitch * rng.uniform(0.42, 0.55)
    # OpenCV takes coordinates in 16ths of a pixel.
    for across, down in (centres * 16).round().astype(int).tolist():
        cv2.circle(out, (across, down), max(1, round(radius * 16)), 255, -1, cv2.LINE_AA, 4)
    return out
