"""What is wrong with the images alone, and what is kept of each to compare them."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import files, image, scripts
from linetune.core.errors import LinetuneError
from linetune.core.labelfile import Line
from linetune.data.check import near
from linetune.data.check.findings import Finding, error, warning

WINDOW = 256
"""Crops that are decoded at a time."""
SMALLEST = 12
"""Height in px below which characters are a handful of pixels high."""
NARROWEST, WIDEST = 0.4, 25.0
"""Width by height beyond which a crop is hardly one line of text."""
TWO_LINES = 0.4
"""Width by height for every letter of the label, below which two bands of ink are two lines of text.

Chosen on 3207 crops of one line each, of wires, receipts and meters: one is taken for two lines (0.03 %). Of
500 pairs of each, one above the other with both texts as the label, 68 %, 87 % and 26 % are found.
"""
_ROWS, _COLUMNS_MOST = 64, 2048
"""Height, and most width, px, at which bands of ink are looked for."""
_FILLED = 0.03
"""Share of a row that is ink from which it is part of a band."""
_BAND, _GAP = 0.2, 0.03
"""Least height of a band and of what parts two, relative to the crop's."""
_ALIKE = 0.5
"""Least height of one band by the other's, and least share of the narrower one's width that both have."""
_WORDS = (
    "file filename file_name filepath file_path path image images image_name image_path img img_name name "
    "img_path text texts label labels transcription transcript caption ground_truth gt gt_text word string"
)
_COLUMNS = frozenset(_WORDS.split())
"""How columns of paths and texts are called."""
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
    two_bands: bool
    """Whether the ink lies in two bands of rows, one above the other."""

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
        return self.contrast < image.FLAT


def look_of(crop: image.Crop, data: NDArray[np.uint8], compared: bool = True) -> Look:
    """Return what the check keeps of a decoded crop.

    Args:
        crop: the decoded image.
        data: the content of its file.
        compared: keep what finds near-duplicates and crops with two lines as well. It takes most of the time.
    """
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
    digest = hashlib.blake2b(np.ascontiguousarray(crop).data, digest_size=16, key=repr(crop.shape).encode())
    height, width = grey.shape
    return Look(
        width,
        height,
        digest.digest(),
        near.difference_hash(grey) if compared else 0,
        near.difference_hash(image.half_turned(grey)) if compared else 0,
        near.thumbnail(grey) if compared else np.zeros(0, np.uint8),
        float(cv2.meanStdDev(grey)[1].item()),
        image.orientation(data),
        _is_truncated(data),
        compared and _has_two_bands(grey),
    )


def look_at_all(
    paths: Sequence[Path], progress: Callable[[int], None] = lambda done: None
) -> Iterator[Look | LinetuneError]:
    """Yield what the check keeps of every crop, or why it cannot be decoded, in order."""

    def attempt(path: Path) -> Look | LinetuneError:
        try:
            data = image.content(path)
            return look_of(image.decode(data, path), data)
        except LinetuneError as problem:
            return problem

    done = 0
    with quiet_pillow(), ThreadPoolExecutor(os.cpu_count()) as pool:
        # A window at a time, so that an interruption need not wait for all crops.
        for start in range(0, len(paths), WINDOW):
            for result in pool.map(attempt, paths[start : start + WINDOW]):
                done += 1
                progress(done)
                yield result


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings about metadata. They name no file."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def way_to(line: Line, problem: LinetuneError) -> str | None:
    """The way out where a line's image is missing."""
    # Unlike Path's own methods, this takes any name for one of no file.
    if problem.hint or os.path.exists(line.image):  # noqa: PTH110
        return problem.hint
    if _is_header(line):
        return "this looks like a header: take the line out"
    if '["' in str(line.image):
        return "linetune import reads lists of images as PaddleOCR writes them"
    if Path(line.text).suffix.lower() in image.SUFFIXES:
        return "the text names an image: write path<TAB>text"
    found = files.near(line.image, Path(line.source.rpartition(":")[0]).parent)
    return f"there is {found}; linetune import finds images by the ends of their paths" if found else None


def unusable(line: Line, problem: LinetuneError) -> Finding:
    """The finding for an image that could not be looked at."""
    path, source = line.image, line.source
    # Unlike Path's own methods, this takes any name for one of no file.
    if not os.path.exists(path):  # noqa: PTH110
        return error("missing-image", source, f"{problem.what}: {path}", way_to(line, problem))
    if not path.is_file():
        kind = "unreadable-image"
    elif path.stat().st_size == 0:
        kind = "empty-image"
    else:
        try:
            truncated = _is_truncated(image.content(path))
        except LinetuneError:  # no right to read it
            truncated = False
        kind = "truncated" if truncated else "unreadable-image"
    return error(kind, source, f"{problem.what}: {path}")


def _is_header(line: Line) -> bool:
    """Whether a line names columns: the first of its file, with no image's suffix."""
    first = line.source.endswith(":1") and line.image.suffix.lower() not in image.SUFFIXES
    return first and any(name.lower().lstrip("# ") in _COLUMNS for name in (line.image.name, line.text))


def findings(crop: Look, line: Line) -> Iterator[Finding]:
    """Everything wrong with one crop by itself."""
    path, source, letters = line.image, line.source, len(scripts.clusters(line.text))
    size = f"{crop.width} x {crop.height} px"
    if image.line_width(crop.height, crop.width) > image.MAX_WIDTH:
        limit = f"over {image.MAX_WIDTH} px at height {image.HEIGHT}"
        yield error("too-long", source, f"{size} is too long, {limit}: {path}")
    elif not NARROWEST <= crop.width / crop.height <= WIDEST:
        stands = crop.width < crop.height and letters > 1
        hint = "turn vertical text by a quarter" if stands else None
        yield warning("aspect", source, f"{size}: {path}", hint)
    if crop.height < SMALLEST:
        yield warning("tiny", source, f"{size}: {path}")
    # A colon and an equals sign have two bands of their own.
    if crop.two_bands and letters > 2 and crop.width / crop.height < TWO_LINES * letters:
        message = f"two lines of text, it seems, in {path} with {line.text!r}"
        yield warning("two-lines", source, message, "cut one crop a line")
    if crop.is_flat:
        yield warning("blank", source, f"nothing to see in {path}")
    if crop.orientation != 1:
        message = f"EXIF orientation {crop.orientation}, which not every program honours: {path}"
        yield warning("rotated", source, message, "save it upright")
    if crop.truncated:
        # OpenCV 4 fills what is missing with grey, OpenCV 5 refuses the file.
        yield error("truncated", source, f"the file ends too early: {path}")


def _has_two_bands(grey: NDArray[np.uint8]) -> bool:
    """Whether ink lies in two bands of rows of similar height, one above the other, and in none besides."""
    width = max(8, round(grey.shape[1] * _ROWS / grey.shape[0]))
    small = cv2.resize(grey, (min(width, _COLUMNS_MOST), _ROWS), interpolation=cv2.INTER_AREA)
    threshold, _ = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    ink = small > threshold
    # Text covers less than half of a crop.
    ink = ~ink if ink.mean() > 0.5 else ink
    filled = np.concatenate(([False], ink.mean(1) > _FILLED, [False]))
    edges = np.flatnonzero(filled[1:] != filled[:-1])
    bands = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= _BAND * _ROWS]
    if len(bands) != 2 or bands[1][0] - bands[0][1] < _GAP * _ROWS:
        return False
    heights = [b - a for a, b in bands]
    columns = [np.flatnonzero(ink[a:b].any(0)) for a, b in bands]
    shared = min(c[-1] for c in columns) - max(c[0] for c in columns)
    return bool(
        min(heights) >= _ALIKE * max(heights) and shared >= _ALIKE * min(c[-1] - c[0] for c in columns)
    )


def _is_truncated(data: NDArray[np.uint8]) -> bool:
    end = _ENDS.get(data[:2].tobytes())
    return end is not None and end not in data[-_TAIL:].tobytes()
