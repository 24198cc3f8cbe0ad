"""Crops: how they are read, converted, resized and packed for a network.

All modules import these names from here. Training, evaluation and export share this preprocessing.
"""

from linetune.core.image.codec import (
    SUFFIXES,
    content,
    decode,
    in_folder,
    no_images,
    orientation,
    photo_warning,
    read,
    write,
)
from linetune.core.image.convert import to_crop
from linetune.core.image.geometry import (
    CUT_MARGIN,
    CUT_STEP,
    HEIGHT,
    MAX_WIDTH,
    MIN_WIDTH,
    cut_width,
    fitting,
    frames,
    frames_needed,
    half_turned,
    input_width,
    is_photo,
    line_width,
    pack,
    resize,
)
from linetune.core.image.pixels import FLAT, Crop

__all__ = [
    "CUT_MARGIN",
    "CUT_STEP",
    "FLAT",
    "HEIGHT",
    "MAX_WIDTH",
    "MIN_WIDTH",
    "SUFFIXES",
    "Crop",
    "content",
    "cut_width",
    "decode",
    "fitting",
    "frames",
    "frames_needed",
    "half_turned",
    "in_folder",
    "input_width",
    "is_photo",
    "line_width",
    "no_images",
    "orientation",
    "pack",
    "photo_warning",
    "read",
    "resize",
    "to_crop",
    "write",
]
