"""Draws a contact sheet of rendered crops, to check them by eye."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from linetune.config import Synth
from linetune.core import labelfile
from linetune.core.image import Crop
from linetune.synth.measure import readable_crops
from linetune.synth.render import Renderer

_CELL = 64, 240
"""Height and width of a cell, px."""
_SPACE = 4
"""Smallest space to the right of a crop and below it in its cell, px."""
_TITLE = 28
"""Height of a title, px."""


def preview(settings: Synth, rows: int, columns: int) -> Crop:
    """Draw the first crops of a configuration in a table. Real crops are on the left if there are any.

    Args:
        settings: what to render. ``looks`` names the real crops.
        rows: number of rows.
        columns: number of columns for each kind of crop.

    Raises:
        LinetuneError: the settings cannot be rendered, or a label file cannot be read.
    """
    renderer = Renderer.of(settings)
    rendered = _sheet([renderer(index)[0] for index in range(rows * columns)], rows, columns)
    if not settings.looks:
        return rendered
    real = readable_crops(labelfile.spread(labelfile.read_labels(*settings.looks), rows * columns))
    gap = np.full((len(rendered) + _TITLE, 12, 3), 255, np.uint8)
    return np.hstack([_titled(_sheet(real, rows, columns), "real"), gap, _titled(rendered, "rendered")])


def _sheet(crops: Sequence[Crop], rows: int, columns: int) -> Crop:
    height, width = _CELL
    sheet = np.full((rows * height, columns * width, 3), 127, np.uint8)
    for index, crop in enumerate(crops):
        scale = min((height - _SPACE) / crop.shape[0], (width - _SPACE) / crop.shape[1])
        size = max(1, int(crop.shape[1] * scale)), max(1, int(crop.shape[0] * scale))
        top, left = index // columns * height, index % columns * width
        small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
        sheet[top : top + size[1], left : left + size[0]] = small
    return sheet


def _titled(sheet: Crop, title: str) -> Crop:
    titled = np.pad(sheet, ((_TITLE, 0), (0, 0), (0, 0)), constant_values=255)
    cv2.putText(titled, title, (4, _TITLE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1, cv2.LINE_AA)
    return titled
