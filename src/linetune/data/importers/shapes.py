"""Coordinates of boxes: numbers, points and rectangles as files have them, and their directions."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
"""A point or a step (x, y), y down, or a width and a height."""
Points: TypeAlias = tuple[Point, ...]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBERS = re.compile(rf"\s*{_NUMBER}(?:[\s,]+{_NUMBER})*[\s,]*")


def number(value: object) -> float | None:
    """Return a value of JSON or XML as a number. None if it is not one."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def numbers(text: object) -> list[float]:
    """Return the numbers of a text, between spaces or commas. Empty if the text contains anything else."""
    if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
        return []
    return [float(part) for part in re.findall(_NUMBER, text)]


def pairs(values: object) -> Points:
    """Return the points of a list ``x1, y1, x2, y2, …``. Empty if the value is not such a list."""
    parsed = [number(value) for value in values] if isinstance(values, (list, tuple)) else []
    if len(parsed) % 2 or any(value is None for value in parsed):
        return ()
    return tuple(zip(parsed[::2], parsed[1::2], strict=True))  # type: ignore[arg-type]


def points(values: object) -> Points:
    """Return the points of ``[[x1, y1], [x2, y2], …]``. Empty if the value is not such a list."""
    listed = values if isinstance(values, (list, tuple)) else []
    if not all(isinstance(value, (list, tuple)) and len(value) == 2 for value in listed):
        return ()
    return pairs([coordinate for value in listed for coordinate in value])


def rectangle(values: object, ends: bool = False) -> Points:
    """Return the corners of an upright rectangle, clockwise from the top left. Empty without four numbers.

    Args:
        values: left, top, width and height. A width or height may be negative.
        ends: whether the values are left, top, right and bottom instead.
    """
    both = pairs(values)
    if len(both) != 2:
        return ()
    (left, top), (right, bottom) = both
    if not ends:
        right, bottom = left + right, top + bottom
    (x0, x1), (y0, y1) = sorted((left, right)), sorted((top, bottom))
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def rotated(rectangle: Points, degrees: float, about: Point | None = None) -> Points:
    """Return the corners of a rectangle rotated clockwise, as seen in the image.

    Args:
        rectangle: the four corners. Empty stays empty.
        degrees: the angle.
        about: the point that stays where it is, by default the centre.
    """
    if not rectangle:
        return ()
    # Radians are rounded: the cosine of 90° is not exactly 0. Infinity has no sine.
    angle = math.radians(degrees) if math.isfinite(degrees) else math.nan
    sine, cosine = (round(f(angle), 12) for f in (math.sin, math.cos))
    x0, y0 = about or ((rectangle[0][0] + rectangle[2][0]) / 2, (rectangle[0][1] + rectangle[2][1]) / 2)
    return tuple(
        (x0 + (x - x0) * cosine - (y - y0) * sine, y0 + (x - x0) * sine + (y - y0) * cosine)
        for x, y in rectangle
    )


def direction(baseline: Points, text: str) -> Point | None:
    """Return the direction of a baseline: a step (x, y) of length 1, y down. None without a baseline.

    People draw the baseline of a right-to-left text from either end. Both mean the same crop. The direction
    of such a baseline is therefore always to the right.
    """
    if len(baseline) < 2:
        return None
    (x0, y0), (x1, y1) = baseline[0], baseline[-1]
    length = math.hypot(x1 - x0, y1 - y0)
    if not 0 < length < math.inf:
        return None
    x, y = (x1 - x0) / length, (y1 - y0) / length
    kinds = [unicodedata.bidirectional(character) for character in text]
    right_to_left = sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")
    return (-x, -y) if right_to_left and x < 0 else (x, y)


def size(width: object, height: object) -> Point | None:
    """Return width and height of a photo as a source has them. None unless both are numbers above 0."""
    sides = pairs([width, height])
    return sides[0] if sides and all(0 < side < math.inf for side in sides[0]) else None
