"""Resize, turn and pad crops into the input of a network.

This is what deployed PP-OCR recognisers do: BGR, height 48, the line's own width, bilinear,
``x / 127.5 - 1``, padded on the right with 0 to at least 320 px.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core.errors import LinetuneError
from linetune.core.image.pixels import Crop

HEIGHT = 48
"""Height of the network's input, px."""
MIN_WIDTH = 320
"""Width to which every deployed reader pads a narrower line, px (PaddleX, RapidOCR)."""
CUT_MARGIN, CUT_STEP = 8, 8
"""Padding that is left where an exported graph cuts it off, and the step of the width that remains (one
frame), px. Trained networks read with it what they read with all padding, but for one crop in forty
(docs/log.md)."""
MAX_WIDTH = 3200
"""Widest line that PaddleX reads without squashing it, px."""

PHOTO, OBLONG = 400, 2.5
"""Shorter side of an image, px, from which it seems to be a whole photo, and the ratio of its sides up to
which it does. Crops of one line are usually lower than 200 px, and higher ones are long."""


def is_photo(height: int, width: int) -> bool:
    """Return whether an image of this size, px, seems to be a whole photo and not a crop of one line."""
    shorter, longer = sorted((height, width))
    return shorter >= PHOTO and longer <= OBLONG * shorter


def line_width(height: int, width: int) -> int:
    """Return the width in px of a line resized to height 48.

    The width is rounded up to 320 px and down beyond, as in PaddleX and RapidOCR.
    """
    ratio = width / height
    return max(1, math.ceil(HEIGHT * ratio) if HEIGHT * ratio <= MIN_WIDTH else int(HEIGHT * ratio))


def input_width(width: int) -> int:
    """Return the padded width in px that deployed readers use for a line of this width at height 48."""
    return max(MIN_WIDTH, width)


def cut_width(width: int) -> int:
    """Return the width in px that remains of the input of a line of this width, if its padding is cut off."""
    return min(input_width(width), -(-(width + CUT_MARGIN) // CUT_STEP) * CUT_STEP)


def fitting(count: int, width: int) -> int:
    """Return the number of images of a width with the area of ``count`` of :data:`MIN_WIDTH`, at least 1."""
    return max(1, count * MIN_WIDTH // max(width, MIN_WIDTH))


def frames(width: int) -> int:
    """Return the CTC frames for an input of a padded width in px: two strides of 2, then a pooling by 2."""
    return math.ceil(math.ceil(width / 2) / 2) // 2


def frames_needed(classes: Sequence[int]) -> int:
    """Return the frames that CTC needs for a label: one a character, one more between equal neighbours."""
    return len(classes) + sum(a == b for a, b in pairwise(classes))


def resize(crop: Crop) -> Crop:
    """Return a crop at height 48 and its own width.

    Raises:
        LinetuneError: it would be wider than :data:`MAX_WIDTH`.
    """
    width = line_width(*crop.shape[:2])
    if width > MAX_WIDTH:
        size = f"{crop.shape[1]} x {crop.shape[0]} px"
        raise LinetuneError(f"{size} is too long: over {MAX_WIDTH} px at height {HEIGHT}")
    if crop.shape[:2] == (HEIGHT, width):
        return crop
    return np.asarray(cv2.resize(crop, (width, HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8)


def half_turned(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a copy rotated by 180 degrees, of an image of shape (height, width, ...)."""
    return np.ascontiguousarray(pixels[::-1, ::-1])


def pack(crops: Sequence[Crop], width: int) -> NDArray[np.float32]:
    """Return the network input of resized crops.

    Args:
        crops: BGR uint8 of shape (48, w, 3) each, every w at most ``width``.
        width: padded width, px.

    Returns:
        float32 of shape (len(crops), 3, 48, width) in [-1, 1], padding 0.
    """
    batch = np.zeros((len(crops), 3, HEIGHT, width), np.float32)
    for row, crop in zip(batch, crops, strict=True):
        row[:, :, : crop.shape[1]] = crop.transpose(2, 0, 1) / np.float32(127.5) - 1
    return batch
