"""Numbers, points and rectangles of the formats with boxes in photos."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, TypeAlias

Points: TypeAlias = tuple[tuple[float, float], ...]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_NUMBERS = re.compile(rf"\s*{_NUMBER}(?:[\s,]+{_NUMBER})*[\s,]*")


def number(value: object) -> float | None:
    """Return a number of JSON or XML. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def numbers(text: object) -> list[float]:
    """Return the numbers of a text, separated by spaces or commas. Empty if it has anything else."""
    if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
        return []
    return [float(part) for part in re.findall(_NUMBER, text)]


def pairs(values: Sequence[Any]) -> Points:
    """Return the points of ``x1, y1, x2, y2, …``. Empty for other values."""
    found = [number(value) for value in values]
    if len(found) % 2 or any(value is None for value in found):
        return ()
    return tuple(zip(found[::2], found[1::2], strict=True))  # type: ignore[arg-type]


def points(values: object) -> Points:
    """Return the points of ``[[x1, y1], [x2, y2], …]``. Empty for other values."""
    if not isinstance(values, (list, tuple)):
        return ()
    if not all(isinstance(value, (list, tuple)) and len(value) == 2 for value in values):
        return ()
    return pairs([coordinate for value in values for coordinate in value])


def rectangle(left: float, top: float, width: float, height: float) -> Points:
    """Return the corners of an upright rectangle, clockwise from the top left. Sides may be negative."""
    (x0, x1), (y0, y1) = sorted((left, left + width)), sorted((top, top + height))
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)


def turned(corners: Points, degrees: float, centre: tuple[float, float]) -> Points:
    """Rotate points clockwise in the image about a centre."""
    # In radians, sines of 90° are not exactly 0 or 1, and infinity has no sine.
    angle = math.radians(degrees) if math.isfinite(degrees) else math.nan
    sine, cosine = (round(f(angle), 12) for f in (math.sin, math.cos))
    x0, y0 = centre
    return tuple(
        (x0 + (x - x0) * cosine - (y - y0) * sine, y0 + (x - x0) * sine + (y - y0) * cosine)
        for x, y in corners
    )


def direction(baseline: Points, text: str) -> tuple[float, float] | None:
    """Return the direction of a baseline, as a step of length 1 to the right and down. None without one.

    People draw the baseline of right-to-left text from either end. The crop is the same in both cases, so
    that the baseline is taken as drawn to the right.
    """
    if len(baseline) < 2:
        return None
    (x0, y0), (x1, y1) = baseline[0], baseline[-1]
    length = math.hypot(x1 - x0, y1 - y0)
    if not 0 < length < math.inf:
        return None
    x, y = (x1 - x0) / length, (y1 - y0) / length
    kinds = [unicodedata.bidirectional(character) for character in text]
    backwards = sum(kind in ("R", "AL") for kind in kinds) > kinds.count("L")
    return (-x, -y) if backwards and x < 0 else (x, y)


def size(width: object, height: object) -> tuple[float, float] | None:
    """Return the size of a photo in a source. None without one."""
    found = number(width), number(height)
    if found[0] is None or found[1] is None or not all(0 < value < math.inf for value in found if value):
        return None
    return (found[0], found[1]) if found[0] and found[1] else None
