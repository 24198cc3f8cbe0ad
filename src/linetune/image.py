"""Crops in and network input out: the only preprocessing, shared by training, evaluation and export.

It is what deployed PP-OCR recognisers do: BGR, height 48, the line's own width, bilinear,
``x / 127.5 - 1``, padded on the right with 0 to at least 320 px.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune import atomic, files
from linetune.errors import LinetuneError

HEIGHT = 48
"""Height of the network's input, px."""
MIN_WIDTH = 320
"""Width to which every deployed reader pads a narrower line, px (PaddleX, RapidOCR)."""
MAX_WIDTH = 3200
"""Widest line that PaddleX reads without squashing it, px."""

_JPEG = {".jpg", ".jpeg", ".jpe", ".jfif", ".jp2"}
SUFFIXES = frozenset(
    _JPEG | {".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif", ".pbm", ".pgm", ".ppm"}
)
"""How the names of images end, in lower case; what is in a file is told by its content."""

Crop = NDArray[np.uint8]
"""One text line: BGR, shape (height, width, 3)."""


def read(path: Path) -> Crop:
    """Decode an image file to BGR, turned upright by its EXIF orientation.

    Raises:
        LinetuneError: the file is missing, empty or no image.
    """
    try:
        # cv2.imread cannot open paths outside the console's code page on Windows.
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise LinetuneError("image not found", path, files.way_to(path)) from None
    except OSError as error:
        raise LinetuneError(f"image cannot be read ({error.strerror})", path) from None
    except ValueError:
        raise LinetuneError("image cannot be read (a null character in its path)", str(path)) from None
    return decode(data, path)


def in_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images below a folder, told by their names, and the other files; as :func:`files.below` counts.

    Raises:
        LinetuneError: a folder cannot be read.
    """
    found = files.below(folder)
    images = [path for path in found if path.suffix.lower() in SUFFIXES]
    return images, [path for path in found if path.suffix.lower() not in SUFFIXES]


def decode(data: NDArray[np.uint8], where: object) -> Crop:
    """Decode an image file's content as :func:`read` does.

    Raises:
        LinetuneError: it is empty or no image; ``where`` says which one.
    """
    if data.size == 0:
        raise LinetuneError("image file is empty", where)
    try:
        crop = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except cv2.error:
        crop = None
    if crop is None:
        raise LinetuneError("not an image that can be decoded", where)
    return np.asarray(crop, np.uint8)


def write(path: Path, crop: Crop) -> None:
    """Encode by the file's suffix; the file appears whole or not at all.

    Raises:
        LinetuneError: the suffix is no image's, or the file cannot be written.
    """
    try:
        done, data = cv2.imencode(path.suffix, crop)
    except cv2.error:
        done = False
    if not done:
        raise LinetuneError(f"cannot encode an image as {path.suffix!r}", path, "name it .png or .jpg")
    try:
        with atomic.written(path) as partial:
            partial.write_bytes(data.tobytes())
    except OSError as error:
        raise LinetuneError(f"cannot write the image ({error.strerror})", path) from None


def line_width(height: int, width: int) -> int:
    """Width in px of a line of the given size once its height is 48.

    Rounded up as far as 320 px and down beyond, as PaddleX and RapidOCR do it.
    """
    ratio = width / height
    return max(1, math.ceil(HEIGHT * ratio) if HEIGHT * ratio <= MIN_WIDTH else int(HEIGHT * ratio))


def input_width(width: int) -> int:
    """Padded width in px at which deployed readers run a line of that width at height 48."""
    return max(MIN_WIDTH, width)


def frames(width: int) -> int:
    """CTC frames of an input of that padded width: two strides of 2 and a pooling by 2."""
    return math.ceil(math.ceil(width / 2) / 2) // 2


def frames_needed(classes: Sequence[int]) -> int:
    """Frames that CTC needs for a label: one a character, one more between two equal ones."""
    return len(classes) + sum(a == b for a, b in pairwise(classes))


def resize(crop: Crop) -> Crop:
    """A crop at height 48 and its own width.

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
    """A copy upside down, of an image with or without colours: shape (height, width, ...)."""
    return np.ascontiguousarray(pixels[::-1, ::-1])


def pack(crops: Sequence[Crop], width: int) -> NDArray[np.float32]:
    """Network input of resized crops.

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
