"""What is wrong with the images alone, and what is kept of each to compare them."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from linetune import image
from linetune.data.check import near
from linetune.data.check.findings import Finding, error, warning
from linetune.errors import LinetuneError

WINDOW = 256
"""Crops that are decoded at a time."""
SMALLEST = 12
"""Height in px below which characters are a handful of pixels high."""
NARROWEST, WIDEST = 0.4, 25.0
"""Width by height beyond which a crop is hardly one line of text."""
FLAT = 3.0
"""Standard deviation in grey levels below which a crop shows nothing."""
_ORIENTATION = 274
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}
"""How a JPEG and a PNG begin, and what stands at the end of a whole one."""
_TAIL = 4096
"""Bytes in which that is looked for, since cameras add some of their own."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is kept of a crop once its pixels are let go."""

    width: int
    height: int
    digest: bytes
    """Of the pixels, so that the same picture in another format is the same."""
    bits: int
    turned_bits: int
    """The hash of the crop, and of the crop turned by half."""
    thumbnail: NDArray[np.uint8]
    contrast: float
    orientation: int
    """As EXIF counts; 1 is upright."""
    truncated: bool

    @property
    def frames(self) -> int:
        """CTC frames of the crop as deployed readers run it."""
        return image.frames(image.input_width(image.line_width(self.height, self.width)))

    @property
    def own_frames(self) -> int:
        """CTC frames of the crop without the padding, rounded up."""
        return image.frames(image.line_width(self.height, self.width)) + 1

    @property
    def is_flat(self) -> bool:
        """Whether there is nothing to see."""
        return self.contrast < FLAT


def look(path: Path) -> Look:
    """Decode a crop once.

    Raises:
        LinetuneError: the file is missing, empty or no image.
    """
    crop = image.read(path)
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
    digest = hashlib.blake2b(np.ascontiguousarray(crop).data, digest_size=16, key=repr(crop.shape).encode())
    height, width = grey.shape
    return Look(
        width,
        height,
        digest.digest(),
        near.difference_hash(grey),
        near.difference_hash(image.half_turned(grey)),
        near.thumbnail(grey),
        float(grey.std()),
        _orientation(path),
        _is_truncated(path),
    )


def look_at_all(
    paths: Sequence[Path], progress: Callable[[int], None] = lambda done: None
) -> Iterator[Look | LinetuneError]:
    """What is kept of every crop, or why there is nothing, in order."""

    def attempt(path: Path) -> Look | LinetuneError:
        try:
            return look(path)
        except LinetuneError as problem:
            return problem

    done = 0
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        # Pillow's complaints about metadata name no file.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        # A window at a time, so that an interruption need not wait for everything.
        for start in range(0, len(paths), WINDOW):
            for result in pool.map(attempt, paths[start : start + WINDOW]):
                done += 1
                progress(done)
                yield result


def unusable(path: Path, source: str, problem: LinetuneError) -> Finding:
    """The finding for an image that could not be looked at."""
    # Unlike Path's own methods, these take any name for one of no file.
    if not os.path.exists(path):  # noqa: PTH110
        plain = str(path).replace("\\", "/")
        hint = "write / for \\ in the path" if os.path.exists(plain) else None  # noqa: PTH110
        return error("missing-image", source, f"{problem.what}: {path}", hint)
    if not path.is_file():
        kind = "unreadable-image"
    elif path.stat().st_size == 0:
        kind = "empty-image"
    else:
        kind = "truncated" if _is_truncated(path) else "unreadable-image"
    return error(kind, source, f"{problem.what}: {path}")


def findings(crop: Look, path: Path, source: str) -> Iterator[Finding]:
    """Everything wrong with one crop by itself."""
    size = f"{crop.width} x {crop.height} px"
    if image.line_width(crop.height, crop.width) > image.MAX_WIDTH:
        limit = f"over {image.MAX_WIDTH} px at height {image.HEIGHT}"
        yield error("too-long", source, f"{size} is too long, {limit}: {path}")
    elif not NARROWEST <= crop.width / crop.height <= WIDEST:
        hint = "turn vertical text by a quarter" if crop.width < crop.height else None
        yield warning("aspect", source, f"{size}: {path}", hint)
    if crop.height < SMALLEST:
        yield warning("tiny", source, f"{size}: {path}")
    if crop.is_flat:
        yield warning("blank", source, f"nothing to see in {path}")
    if crop.orientation != 1:
        message = f"EXIF orientation {crop.orientation}, which not every program honours: {path}"
        yield warning("rotated", source, message, "save it upright")
    if crop.truncated:
        # OpenCV 4 fills what is missing with grey, OpenCV 5 refuses the file.
        yield error("truncated", source, f"the file ends too early: {path}")


def _orientation(path: Path) -> int:
    try:
        with Image.open(path) as opened:
            found = opened.getexif().get(_ORIENTATION, 1)
    except Exception:
        # Pillow raises anything on broken metadata, and OpenCV reads formats that Pillow does not.
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _is_truncated(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            end = _ENDS.get(file.read(2))
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
            return end is not None and end not in file.read()
    except OSError:
        return False
