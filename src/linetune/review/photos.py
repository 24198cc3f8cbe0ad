"""Boxes in photos: their crops as files, and the photo around a box."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from linetune.core import image
from linetune.core.errors import LinetuneError
from linetune.core.files import relative
from linetune.core.image import Crop
from linetune.core.progress import Reporter
from linetune.data.importers import ppocrlabel
from linetune.data.importers.cut import cut, turn_with_exif
from linetune.data.importers.source import Box, Found, Source
from linetune.data.naming import safe

_AROUND = 1.5
"""How much of the photo is shown on each side of a box, relative to the longer side of the box."""
_WIDEST = 1200
"""Largest side of the shown part of a photo, px."""
_COLOUR = (222, 111, 47)
"""Colour of a drawn box (BGR): the accent of the pages."""

read_photo = lru_cache(maxsize=2)(image.read)
"""Reads a photo. It keeps the last two, because the boxes of one photo follow each other."""


@dataclass(frozen=True, slots=True)
class CutBox:
    """A crop that is cut out of a photo."""

    name: str
    """Its name in the journal. The same box of the same photo always has the same name."""
    text: str
    image: Path
    box: Box


def cut_boxes(source: Path, folder: Path, reporter: Reporter) -> tuple[list[CutBox], Sequence[LinetuneError]]:
    """Cut the boxes of a PPOCRLabel project out of their photos, as the importer does.

    Args:
        source: the Label.txt.
        folder: where the crops are written. Those that are newer than their photo are not cut again.
        reporter: shows the progress.

    Returns:
        The crops, and why boxes are left out.

    Raises:
        LinetuneError: the source cannot be read, or a crop cannot be written.
    """
    reading = Source(path=source, unlabelled=True)
    items = ppocrlabel.read(reading)
    crops: list[CutBox] = []
    refused: list[LinetuneError] = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, item in enumerate(items, 1):
        try:
            if isinstance(item, LinetuneError):
                raise item
            crops.append(_cut(item, reading.root, folder))
        except LinetuneError as error:
            refused.append(error)
        reporter.progress("cutting crops", number, len(items))
    return crops, refused


def _cut(found: Found, root: Path, folder: Path) -> CutBox:
    assert isinstance(found.pixels, Box)
    box = found.pixels
    place = f"{relative(box.photo, root)} {box.corners}"
    name = f"{safe(box.photo.stem)}-{hashlib.sha256(place.encode()).hexdigest()[:12]}.png"
    path = folder / name
    if not path.exists() or path.stat().st_mtime < box.photo.stat().st_mtime:
        photo = read_photo(box.photo)
        image.write(path, cut(photo, turn_with_exif(box, photo)[0], found.text)[0])
    return CutBox(name, found.text, path, box)


def around(box: Box) -> Crop:
    """Return the part of a photo around a box, with the box drawn, at most 1200 px wide and high.

    Raises:
        LinetuneError: the photo cannot be read.
    """
    photo = read_photo(box.photo)
    corners = np.array(turn_with_exif(box, photo)[0].corners)
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    margin = _AROUND * max(right - left, bottom - top)
    height, width = photo.shape[:2]
    x0, x1 = int(max(0, left - margin)), int(min(width, right + margin))
    y0, y1 = int(max(0, top - margin)), int(min(height, bottom + margin))
    scale = min(1.0, _WIDEST / max(x1 - x0, y1 - y0))
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    shown = cv2.resize(photo[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    outline = np.round((corners - (x0, y0)) * scale).astype(np.int32)
    cv2.polylines(shown, [outline], True, (255, 255, 255), 5, cv2.LINE_AA)
    cv2.polylines(shown, [outline], True, _COLOUR, 2, cv2.LINE_AA)
    return np.asarray(shown, np.uint8)
