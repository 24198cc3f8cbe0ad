"""Cutting a crop out of a photo, as PaddleOCR does: training uses what PPOCRLabel shows."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.image import Crop
from linetune.data.importers.source import Box

UPRIGHT = 1.5
"""Height by width from which a crop is turned a quarter to the left, as PaddleOCR does."""
OUTSIDE = 0.25
"""Largest part of a box outside its photo without a remark, relative to its shorter side."""
_FEWEST, _REACHED = 5, 0.55
"""Least number of photos, and part of their size in which boxes stay that were drawn on half of it."""
_TURNS = ("", "turned to the left by a quarter", "upside down", "turned to the right by a quarter")
_NOTES = {
    "stood": (
        f"boxes at least {UPRIGHT} times as high as wide are turned a quarter to the left, as PaddleOCR "
        "does it: {}; look at them"
    ),
    "single": "high boxes of one character are not turned, which PaddleOCR would do: {}",
    "turned": (
        "boxes do not start at their own top left, so that the crops are turned against the photo: {}; "
        "look at them, and pass --upright if the photos show these texts upright"
    ),
    "stored": "boxes were drawn on photos that EXIF turns, and are turned with them: {}; look at them",
    "scaled": "boxes are scaled, since the photos are larger or smaller than written: {}",
    "other": "photos have another shape than written, so that boxes may be elsewhere: {}; look at them",
    "outside": (
        "boxes stick out of their photos, as those do that were drawn on a larger copy or hold two corners "
        "where width and height are meant: {}; look at them"
    ),
}
"""Notes about crops, by kind of remark. The gap is for their number and an example."""

_UPRIGHT: dict[int, Callable[[float, float, int, int], tuple[float, float]]] = {
    5: lambda x, y, width, height: (y, x),
    6: lambda x, y, width, height: (height - y, x),
    7: lambda x, y, width, height: (height - y, width - x),
    8: lambda x, y, width, height: (y, width - x),
}
"""The new place of a point of a stored photo, for the EXIF orientations that swap the sides."""

Points: TypeAlias = NDArray[np.float64]
"""Points in px, shape (number, 2)."""
Remarks: TypeAlias = dict[str, str]
"""What a person should know about a crop: the kind of remark, and its detail."""


def cut(photo: Crop, box: Box, text: str, upright: bool = False) -> tuple[Crop, Remarks]:
    """Straighten a box into a crop with the size of its longest edges.

    Args:
        photo: BGR.
        box: its corners may be a little outside the photo.
        text: its text. One character has no direction, so that its box is never turned.
        upright: the box starts at its own top left, whatever its first corner or its baseline is.

    Raises:
        LinetuneError: the corners do not make a readable crop.
    """
    height, width = photo.shape[:2]
    remarks: Remarks = {}
    points = _scaled(box, width, height, remarks)
    _check_place(points, width, height)
    beyond = float(max(-points.min(), *(points.max(0) - (width, height))))
    if beyond > OUTSIDE * np.ptp(points, 0).min():
        remarks["outside"] = f"by {beyond:.0f} px"
    single = _is_single(text)
    outline = box.outline or upright
    corners = _quadrilateral(points) if outline else _checked(points)
    own = _top_left(corners, single)
    start = 0
    if outline:
        start = own if box.baseline is None or upright else _along(corners, box.baseline)
    directed = box.outline and box.baseline is not None and not upright
    tall, own_tall = (_is_tall(np.roll(corners, -first, 0)) and not single for first in (start, own))
    tall = tall and not directed
    # The edge along the text, clockwise from the first corner.
    turns = (start + tall - own - own_tall) % 4
    if turns:
        remarks["turned"] = _TURNS[turns]
    elif tall and own_tall:
        remarks["stood"] = ""
    elif single and not directed and _is_tall(np.roll(corners, -start, 0)):
        remarks["single"] = ""
    crop = _straightened(photo, np.roll(corners, -start, 0))
    return np.ascontiguousarray(np.rot90(crop) if tall else crop, np.uint8), remarks


def turn_with_exif(box: Box, photo: Crop) -> tuple[Box, Remarks]:
    """Turn a box with its photo, if its written size is that of the photo before EXIF turns it.

    Args:
        box: the box in the source.
        photo: BGR, upright.
    """
    height, width = photo.shape[:2]
    if width == height or box.size != (height, width):
        return box, {}
    place = _UPRIGHT.get(image.orientation(image.content(box.photo)))
    if place is None:
        return box, {}
    corners = tuple(place(x, y, height, width) for x, y in box.corners)
    return replace(box, corners=corners, outline=True, baseline=None, size=(width, height)), {"stored": ""}


def notes(remarks: Mapping[str, Sequence[str]], reach: Collection[tuple[float, float]] = ()) -> list[str]:
    """Return notes on all crops.

    Args:
        remarks: the crops of each kind of remark.
        reach: for each photo without a written size, the right and lower end of its boxes, as parts of its
            size.
    """
    sentences = []
    for kind, sentence in _NOTES.items():
        if crops := remarks.get(kind):
            number = "1 crop" if len(crops) == 1 else f"{len(crops)} crops, such as"
            sentences.append(sentence.format(f"{number} {crops[0]}"))
    if len(reach) >= _FEWEST and max(map(max, reach)) < _REACHED:
        right, low = map(max, zip(*reach, strict=True))
        sentences.append(
            f"boxes reach to {right:.0%} of the width and {low:.0%} of the height of all photos, as those do "
            "that were drawn on smaller copies; look at the crops"
        )
    return sentences


def _scaled(box: Box, width: int, height: int, remarks: Remarks) -> Points:
    """Return the corners at the size of the photo, if they were made on a larger or smaller copy."""
    points = np.asarray(box.corners, np.float64)
    if not np.isfinite(points).all():
        raise LinetuneError("a corner is not a number")
    if box.size is None or box.size == (width, height):
        return points
    scale = width / box.size[0]
    detail = f"{width} x {height} px where {box.size[0]:g} x {box.size[1]:g} px are written"
    # The height of a copy is rounded to whole px, and so is the written height of the photo.
    if abs(box.size[1] * scale - height) > max(1, scale):
        remarks["other"] = detail
        return points
    remarks["scaled"] = detail
    with np.errstate(over="ignore"):
        return points * scale


def _check_place(points: Points, width: int, height: int) -> None:
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise LinetuneError(f"the box is outside the photo of {width} x {height} px")
    if max(right - left, bottom - top) > 2 * (width + height):
        raise LinetuneError(f"the box is far larger than the photo of {width} x {height} px")
    if min(left, top) >= 0 and max(right, bottom) <= 1:
        what = "the box is inside one pixel, as if it were in parts of the photo's width and height"
        raise LinetuneError(what, hint="write boxes in pixels")


def _checked(points: Points) -> Points:
    """Return four corners in the order of the source."""
    box = points.astype(np.float32)
    if min(_size(points)) < 1:
        raise LinetuneError("the box is empty")
    if not cv2.isContourConvex(box):
        raise LinetuneError(
            "the corners do not follow the box's outline", hint="pass --upright to order them"
        )
    if cv2.contourArea(box) < 1:
        raise LinetuneError("the box is empty")
    if cv2.contourArea(box, oriented=True) < 0:
        what = "the corners run counter-clockwise, so that the crop would be mirrored"
        raise LinetuneError(what, hint="pass --upright to order them")
    return points


def _quadrilateral(points: Points) -> Points:
    """Return four corners around an outline, clockwise: its own four, or those of the smallest rectangle.

    The rectangle is OpenCV's ``minAreaRect``, which PaddleOCR's detector uses too.
    """
    hull = cv2.convexHull(points.astype(np.float32))
    if cv2.contourArea(hull) < 1:
        raise LinetuneError("the box is empty")
    own = len(points) == len(hull) == 4
    corners = np.asarray(hull.reshape(-1, 2) if own else cv2.boxPoints(cv2.minAreaRect(hull)), np.float64)
    if cv2.contourArea(corners.astype(np.float32), oriented=True) < 0:
        corners = corners[::-1]
    if min(_size(corners)) < 1:
        raise LinetuneError("the box is empty")
    return corners


def _top_left(corners: Points, single: bool) -> int:
    """Return the corner at which an upright text would start. The next edge runs farthest to the right.

    This is the longer side of a sloping box, and the upper side of a tall box, as with the corners of
    PaddleOCR's detector. For one character, the edge with the least slope counts.
    """
    edges = _edges(corners)
    lengths = np.hypot(*edges.T) if single else 1
    return int(np.argmax(edges[:, 0] / lengths))


def _along(corners: Points, direction: Sequence[float]) -> int:
    """Return the corner after which the edge follows the text."""
    edges = _edges(corners)
    return int(np.argmax(edges @ np.asarray(direction, np.float64) / np.hypot(*edges.T)))


def _edges(corners: Points) -> Points:
    return np.roll(corners, -1, 0) - corners


def _size(corners: Points) -> tuple[int, int]:
    """Return width and height of the crop, px. Each is the longer of two edges, rounded down."""
    edges = [math.hypot(*edge) for edge in _edges(corners)]
    # The corners of a computed rectangle are not exact.
    return int(max(edges[0], edges[2]) + 1e-3), int(max(edges[1], edges[3]) + 1e-3)


def _is_tall(corners: Points) -> bool:
    wide, tall = _size(corners)
    return tall / wide >= UPRIGHT


def _is_single(text: str) -> bool:
    """Return whether a text is one character, with its accents or joiners."""
    plain = unicodedata.normalize("NFC", text.strip())
    return sum(unicodedata.category(character)[0] not in "MC" for character in plain) == 1


def _straightened(photo: Crop, corners: Points) -> Crop:
    wide, tall = _size(corners)
    flat = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32)
    crop = cv2.warpPerspective(
        photo,
        cv2.getPerspectiveTransform(corners.astype(np.float32), flat),
        (wide, tall),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8)
