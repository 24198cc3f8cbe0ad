"""Cutting of crops out of photos, in the same way as PaddleOCR and PPOCRLabel."""

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
from linetune.data.importers.shapes import Point
from linetune.data.importers.source import Box

_TALL = 1.5
"""Least height by width of a box that is turned a quarter to the left, as in PaddleOCR."""
_OUTSIDE = 0.25
"""Most that a box may extend beyond its photo without a remark, relative to its shorter side."""
_FEWEST_PHOTOS, _HALF = 5, 0.55
"""Least number of photos, and the fraction of their width and height that all boxes are within.

Such boxes were perhaps drawn on copies of half the size.
"""
_DRAW, _ORDER = "draw the box again, or delete it", "pass --upright to order them"
_TURNS = ("", "turned to the left by a quarter", "upside down", "turned to the right by a quarter")
_NOTES = {
    "tall": (
        f"boxes at least {_TALL} times as high as wide are turned a quarter to the left, as in PaddleOCR: "
        "{}; look at the crops"
    ),
    "single": "high boxes of one character are not turned, but PaddleOCR turns them: {}",
    "turned": (
        "the first corner of boxes is not their top left, and their crops are turned as it says: {}; "
        "look at the crops, and pass --upright if these texts are upright in the photos"
    ),
    "stored": "boxes were drawn on photos before EXIF turned them, and are turned too: {}; look at the crops",
    "scaled": "boxes are scaled, because their photos have another size than the source says: {}",
    "other": (
        "photos have another aspect ratio than the source says. Boxes may be in the wrong place: "
        "{}; look at the crops"
    ),
    "outside": (
        "boxes extend beyond their photos, perhaps because they were drawn on larger copies, or contain two "
        "corners instead of width and height: {}; look at the crops"
    ),
}
"""Notes on crops, by kind of remark. The number of the crops and an example replace the braces."""

_TO_UPRIGHT: dict[int, Callable[[float, float, int, int], Point]] = {
    5: lambda x, y, width, height: (y, x),
    6: lambda x, y, width, height: (height - y, x),
    7: lambda x, y, width, height: (height - y, width - x),
    8: lambda x, y, width, height: (y, width - x),
}
"""Functions from x, y, width and height of the stored photo to x and y of the upright photo.

They are for the EXIF orientations that swap width and height.
"""

Corners: TypeAlias = NDArray[np.float64]
"""Corners (x, y) in px, shape (number, 2)."""
Remarks: TypeAlias = dict[str, str]
"""What the user should know about a crop: details by kind of remark, a key of ``_NOTES``."""


def cut(photo: Crop, box: Box, text: str, upright: bool = False) -> tuple[Crop, Remarks]:
    """Return a box as a straight crop, as wide and high as the longer of its opposite edges.

    A tall crop is turned a quarter to the left, unless its text is one character, which has no direction, or
    a baseline says its direction.

    Args:
        photo: BGR.
        box: the box. Its corners may be a little outside the photo.
        text: the text of the box.
        upright: the box starts at its own top left, whatever its first corner or its baseline is.

    Raises:
        LinetuneError: the corners do not make a readable crop.
    """
    height, width = photo.shape[:2]
    remarks: Remarks = {}
    points = _scaled(box, width, height, remarks)
    _check_place(points, width, height)
    beyond = float(max(-points.min(), *(points.max(0) - (width, height))))
    if beyond > _OUTSIDE * np.ptp(points, 0).min():
        remarks["outside"] = f"by {beyond:.0f} px"
    single = _is_single(text)
    outline = box.outline or upright
    direction = box.baseline if box.outline and not upright else None
    corners = _four(points, outline)
    top_left = _start(corners, None, single)
    start = _start(corners, direction, single) if outline else 0
    tall, tall_upright = (_is_tall(np.roll(corners, -corner, 0)) for corner in (start, top_left))
    quarter = tall and not single and direction is None
    quarter_upright = tall_upright and not single
    # The text runs along the edge after the start, or along the next edge if the crop is turned a quarter.
    turns = (start + quarter - top_left - quarter_upright) % 4
    if turns:
        remarks["turned"] = _TURNS[turns]
    elif quarter and quarter_upright:
        remarks["tall"] = ""
    elif tall and single and direction is None:
        remarks["single"] = ""
    crop = _straightened(photo, np.roll(corners, -start, 0))
    return np.ascontiguousarray(np.rot90(crop) if quarter else crop, np.uint8), remarks


def turn_with_exif(box: Box, photo: Crop) -> tuple[Box, Remarks]:
    """Turn a box like its photo, if the size in the source is that of the photo before EXIF turns it.

    Return the box unchanged and no remarks otherwise.

    Args:
        box: the box in the source.
        photo: BGR, upright.
    """
    height, width = photo.shape[:2]
    if width == height or box.size != (height, width):
        return box, {}
    to_upright = _TO_UPRIGHT.get(image.orientation(image.content(box.photo)))
    if to_upright is None:
        return box, {}
    corners = tuple(to_upright(x, y, height, width) for x, y in box.corners)
    return replace(box, corners=corners, outline=True, baseline=None, size=(width, height)), {"stored": ""}


def notes(remarks: Mapping[str, Sequence[str]], reach: Collection[Point] = ()) -> list[str]:
    """Return what the user should know about the crops of an import.

    Args:
        remarks: for each kind of remark, the crops that it is about.
        reach: for each photo whose size the source does not say, how far right and down its boxes go, as
            fractions of its width and height.
    """
    sentences = []
    for kind, sentence in _NOTES.items():
        if crops := remarks.get(kind):
            number = "1 crop" if len(crops) == 1 else f"{len(crops)} crops, such as"
            sentences.append(sentence.format(f"{number} {crops[0]}"))
    if len(reach) >= _FEWEST_PHOTOS and max(map(max, reach)) < _HALF:
        right, low = map(max, zip(*reach, strict=True))
        sentences.append(
            f"all boxes are within {right:.0%} of the width and {low:.0%} of the height of their photos, "
            "perhaps because they were drawn on smaller copies; look at the crops"
        )
    return sentences


def _scaled(box: Box, width: int, height: int, remarks: Remarks) -> Corners:
    """Return the corners in px of the photo, with a remark if its size is not the one that the source says.

    Raises:
        LinetuneError: a corner is not a finite number.
    """
    points = np.asarray(box.corners, np.float64)
    if not np.isfinite(points).all():
        raise LinetuneError("a corner is not a number", hint=_DRAW)
    if box.size is None or box.size == (width, height):
        return points
    scale = width / box.size[0]
    detail = f"{width} x {height} px instead of {box.size[0]:g} x {box.size[1]:g} px"
    # Both heights are rounded to whole px, the one in the source and that of the photo.
    if abs(box.size[1] * scale - height) > max(1, scale):
        remarks["other"] = detail
        return points
    remarks["scaled"] = detail
    with np.errstate(over="ignore"):
        return points * scale


def _check_place(points: Corners, width: int, height: int) -> None:
    """Check that a box may be a part of its photo.

    Raises:
        LinetuneError: the box is outside the photo, far larger than the photo, or not in px.
    """
    (left, top), (right, bottom) = points.min(0).tolist(), points.max(0).tolist()
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise LinetuneError(f"the box is outside the photo of {width} x {height} px", hint=_DRAW)
    if max(right - left, bottom - top) > 2 * (width + height):
        raise LinetuneError(f"the box is far larger than the photo of {width} x {height} px", hint=_DRAW)
    if min(left, top) >= 0 and max(right, bottom) <= 1:
        what = "the box is inside one pixel, as if it were in parts of the photo's width and height"
        raise LinetuneError(what, hint="write boxes in pixels")


def _four(points: Corners, outline: bool) -> Corners:
    """Return the four corners of a box, clockwise.

    A box keeps its corners in their own order. An outline that is a quadrilateral keeps its corners. For any
    other outline, the smallest rectangle around it is returned (OpenCV's ``minAreaRect``), as in PaddleOCR's
    detector.

    Raises:
        LinetuneError: the area is below 1 px², a side is below 1 px, or the corners of a box are not convex
            and clockwise.
    """
    corners, contour = points, points.astype(np.float32)
    if outline:
        contour = np.asarray(cv2.convexHull(contour), np.float32)
        own = len(points) == len(contour) == 4
        four = contour.reshape(-1, 2) if own else cv2.boxPoints(cv2.minAreaRect(contour))
        corners = np.asarray(four, np.float64)
    if min(_size(corners)) < 1:
        raise LinetuneError("the box is empty", hint=_DRAW)
    if not outline and not cv2.isContourConvex(contour):
        raise LinetuneError("the corners do not follow the outline of the box", hint=_ORDER)
    if cv2.contourArea(contour) < 1:
        raise LinetuneError("the box is empty", hint=_DRAW)
    if cv2.contourArea(corners.astype(np.float32), oriented=True) >= 0:
        return corners
    if not outline:
        what = "the corners run counter-clockwise, and the crop would be mirrored"
        raise LinetuneError(what, hint=_ORDER)
    return corners[::-1]


def _start(corners: Corners, direction: Point | None, single: bool = False) -> int:
    """Return the index of the corner where the text starts: its edge goes farthest in the text's direction.

    The edge of a corner leads to the next corner. Without a direction, the text goes to the right. It then
    starts at the longer side of a sloping box and at the upper side of a tall box, as with PaddleOCR's
    detector. One character has no longer side. For one character, and for a known direction, only the slope
    of the edges counts.
    """
    edges = _edges(corners)
    lengths = np.hypot(*edges.T) if single or direction else 1
    return int(np.argmax(edges @ np.asarray(direction or (1, 0), np.float64) / lengths))


def _edges(corners: Corners) -> Corners:
    """Return the steps from each corner to the next one, px."""
    return np.roll(corners, -1, 0) - corners


def _size(corners: Corners) -> tuple[int, int]:
    """Return width and height of a crop in px. Each is the longer of two opposite edges, rounded down."""
    edges = [math.hypot(*edge) for edge in _edges(corners)]
    # The corners of a computed rectangle are not exact: 19.9999 px are 20 px.
    return int(max(edges[0], edges[2]) + 1e-3), int(max(edges[1], edges[3]) + 1e-3)


def _is_tall(corners: Corners) -> bool:
    wide, tall = _size(corners)
    return tall / wide >= _TALL


def _is_single(text: str) -> bool:
    """Return whether a text is one character, with its accents or joiners."""
    plain = unicodedata.normalize("NFC", text.strip())
    return sum(unicodedata.category(character)[0] not in "MC" for character in plain) == 1


def _straightened(photo: Crop, corners: Corners) -> Crop:
    """Return the part of a photo between four corners as a rectangle. The first corner is its top left."""
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
