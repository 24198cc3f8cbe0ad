"""A crop out of a photo, as PaddleOCR cuts it: what PPOCRLabel shows is what is trained on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from linetune.errors import LinetuneError
from linetune.image import Crop

UPRIGHT = 1.5
"""A crop at least so many times as high as wide is turned a quarter to the left."""


def cut(photo: Crop, corners: Sequence[tuple[float, float]]) -> Crop:
    """Straighten the quadrilateral into a crop as wide and high as its longest edges.

    Args:
        photo: BGR.
        corners: four, in px, clockwise from the text's top left; they may lie a little outside.

    Raises:
        LinetuneError: the corners make no crop that could be read.
    """
    height, width = photo.shape[:2]
    points = np.asarray(corners, np.float64)
    if not np.isfinite(points).all():
        raise LinetuneError("a corner is not a number")
    low, high = points.min(0), points.max(0)
    if (high <= 0).any() or low[0] >= width or low[1] >= height:
        raise LinetuneError(f"the box lies outside the photo of {width} x {height} px")
    edges = [math.dist(points[i], points[(i + 1) % 4]) for i in range(4)]
    wide, tall = int(max(edges[0], edges[2])), int(max(edges[1], edges[3]))
    if max(wide, tall) > 2 * (width + height):
        raise LinetuneError(f"the box is far larger than the photo of {width} x {height} px")
    box = points.astype(np.float32)
    if wide < 1 or tall < 1 or cv2.contourArea(box) < 1:
        raise LinetuneError("the box is empty")
    if not cv2.isContourConvex(box):
        raise LinetuneError("the corners do not follow the box's outline")
    if cv2.contourArea(box, oriented=True) < 0:
        raise LinetuneError("the corners run counter-clockwise, so that the crop would be mirrored")
    flat = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32)
    crop = cv2.warpPerspective(
        photo,
        cv2.getPerspectiveTransform(box, flat),
        (wide, tall),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if tall / wide >= UPRIGHT:
        crop = np.rot90(crop)
    return np.ascontiguousarray(crop, np.uint8)
