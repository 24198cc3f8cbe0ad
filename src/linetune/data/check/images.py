"""Check images by themselves, and summarise each one to compare it with others."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import files, image, scripts
from linetune.core.errors import LinetuneError, place
from linetune.core.labelfile import Line
from linetune.data.check import near
from linetune.data.check.findings import Finding, error, warning

T = TypeVar("T")
R = TypeVar("R")
WINDOW = 256
"""Number of crops that are decoded before the next ones start."""
SMALLEST = 12
"""Height in px below which characters have too few pixels to be read well."""
NARROWEST, WIDEST = 0.4, 25.0
"""Aspect ratios (width / height) beyond which a crop is hardly one line of text."""
TWO_LINES = 0.4
"""Aspect ratio, divided by the letters of the label, below which two bands of ink are two lines of text.

We chose it on 3207 crops of wires, receipts and meters with one line each. One of them looks like two lines
(0.03 %). We also stacked 500 pairs of each kind, labelled with both texts: 68 %, 87 % and 26 % are found.
"""
_ROWS, _MAX_COLUMNS = 64, 2048
"""Height and largest width, px, of the picture in which we look for bands of ink."""
_FILLED = 0.03
"""Share of ink in a row from which the row is part of a band."""
_BAND, _GAP = 0.2, 0.03
"""Smallest height of a band and of the gap between two bands, as shares of the crop's height."""
_ALIKE = 0.5
"""Smallest ratio of the bands' heights, and smallest share of the narrower band's width that both cover."""
_WORDS = (
    "file filename file_name filepath file_path path image images image_name image_path img img_name name "
    "img_path text texts label labels transcription transcript caption ground_truth gt gt_text word string"
)
_COLUMNS = frozenset(_WORDS.split())
"""Usual names of columns with paths or texts."""
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND"}
"""First bytes of a JPEG and a PNG, and the bytes near the end of a complete file."""
_TAIL = 4096
"""Number of last bytes to search, because cameras add bytes after the end."""


@dataclass(frozen=True, slots=True)
class CropSummary:
    """The properties of a crop that we keep after its pixels."""

    width: int
    height: int
    digest: bytes
    """Hash of the pixels. It is equal for the same picture in another lossless format."""
    likeness: near.Likeness | None
    """What finds near-duplicates. None if the crop is not compared with others."""
    contrast: float
    """Standard deviation of the grey values."""
    orientation: int
    """EXIF orientation. 1 is upright."""
    truncated: bool
    """Whether the end of the file is missing."""
    two_bands: bool
    """Whether the ink is in two bands of rows, one above the other."""

    @property
    def frames(self) -> int:
        """Number of CTC frames in deployed readers, which pad narrow crops."""
        return image.frames(image.input_width(image.line_width(self.height, self.width)))

    @property
    def own_frames(self) -> int:
        """Number of CTC frames of the crop without padding, rounded up."""
        return image.frames(image.line_width(self.height, self.width)) + 1

    @property
    def is_photo(self) -> bool:
        """Whether it seems to be a whole photo and not a crop of one line."""
        return image.is_photo(self.height, self.width)

    @property
    def is_flat(self) -> bool:
        """Whether the crop shows nothing."""
        return self.contrast < image.FLAT


def summarise(crop: image.Crop, data: NDArray[np.uint8], compared: bool = True) -> CropSummary:
    """Return the summary of a decoded crop.

    Args:
        crop: the decoded image.
        data: the content of its file.
        compared: include what finds near-duplicates and crops with two lines. It takes most of the time.
    """
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), np.uint8)
    digest = hashlib.blake2b(np.ascontiguousarray(crop).data, digest_size=16, key=repr(crop.shape).encode())
    height, width = grey.shape
    return CropSummary(
        width,
        height,
        digest.digest(),
        near.likeness(grey) if compared else None,
        float(cv2.meanStdDev(grey)[1].item()),
        image.orientation(data),
        _is_truncated(data),
        compared and _has_two_bands(grey),
    )


def summarise_all(
    paths: Sequence[Path], progress: Callable[[int], None] = lambda done: None
) -> Iterator[CropSummary | LinetuneError]:
    """Decode every crop and yield its summary, or the error of an unusable one, in order.

    Args:
        paths: the image files.
        progress: called with the number of images done so far.
    """

    def attempt(path: Path) -> CropSummary | LinetuneError:
        try:
            data = image.content(path)
            return summarise(image.decode(data, path), data)
        except LinetuneError as problem:
            return problem

    return in_threads(attempt, paths, progress)


def in_threads(read: Callable[[T], R], items: Iterable[T], progress: Callable[[int], None]) -> Iterator[R]:
    """Read images in several threads and yield the results in the order of the items.

    A window of images is read at a time. Otherwise decoded crops pile up before they are used, and an
    interruption waits for all images.

    Args:
        read: reads one image.
        items: an argument of ``read`` for each image.
        progress: called with the number of images done so far.
    """
    waiting = iter(items)
    windows = iter(lambda: list(islice(waiting, WINDOW)), [])
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        # Pillow warns about metadata and does not name the file.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        results = chain.from_iterable(pool.map(read, window) for window in windows)
        for done, result in enumerate(results, 1):
            progress(done)
            yield result


def missing_image_hint(line: Line, problem: LinetuneError) -> str | None:
    """Return how to fix a line whose image cannot be read, or None if nothing is known."""
    if problem.hint or files.exists(line.image):
        return problem.hint
    if _is_header(line):
        return "this looks like a header: remove the line"
    if '["' in str(line.image):
        return "linetune import reads lists of images as PaddleOCR writes them"
    if Path(line.text).suffix.lower() in image.SUFFIXES:
        return "the text is the name of an image: write path<TAB>text"
    found = files.near(line.image, Path(line.source.rpartition(":")[0]).parent)
    return (
        f"did you mean {place(found)}? linetune import finds images by the ends of their paths"
        if found
        else None
    )


def unusable(line: Line, problem: LinetuneError) -> Finding:
    """Return the finding for an image without a summary.

    Args:
        line: the line of the image.
        problem: the error of reading it.
    """
    path, source = line.image, line.source
    if not files.exists(path):
        return error(
            "missing-image", source, f"{problem.what}: {place(path)}", missing_image_hint(line, problem)
        )
    kind = "unreadable-image"
    if path.is_file() and path.stat().st_size == 0:
        kind = "empty-image"
    elif path.is_file():
        with suppress(LinetuneError):  # no permission to read the file
            kind = "truncated" if _is_truncated(image.content(path)) else kind
    return error(kind, source, f"{problem.what}: {place(path)}")


def _is_header(line: Line) -> bool:
    """Return whether a line is the first of its file and names columns instead of an image."""
    first = line.source.endswith(":1") and line.image.suffix.lower() not in image.SUFFIXES
    return first and any(name.lower().lstrip("# ") in _COLUMNS for name in (line.image.name, line.text))


def findings(crop: CropSummary, line: Line) -> Iterator[Finding]:
    """Yield everything that is wrong with one crop by itself."""
    path, source, letters = place(line.image), line.source, len(scripts.clusters(line.text))
    size = f"{crop.width} x {crop.height} px"
    if image.line_width(crop.height, crop.width) > image.MAX_WIDTH:
        limit = f"over {image.MAX_WIDTH} px at height {image.HEIGHT}"
        yield error("too-long", source, f"the crop of {size} is too long, {limit}: {path}")
    elif not NARROWEST <= crop.width / crop.height <= WIDEST:
        is_vertical = crop.width < crop.height and letters > 1
        hint = "rotate vertical text by 90 degrees" if is_vertical else None
        message = f"{size} is an unusual shape for one line of text: {path}"
        yield warning("aspect", source, message, hint)
    if crop.is_photo:
        message = f"{size} looks like a whole photo, not like a crop of one text line: {path}"
        yield warning("photo", source, message, "cut one crop for each line")
    if crop.height < SMALLEST:
        yield warning("tiny", source, f"the crop of {size} is too small to be read well: {path}")
    # A colon and an equals sign have two bands themselves.
    if crop.two_bands and letters > 2 and crop.width / crop.height < TWO_LINES * letters:
        message = f"the crop of {line.text!r} seems to show two lines of text: {path}"
        yield warning("two-lines", source, message, "cut one crop for each line")
    if crop.is_flat:
        yield warning("blank", source, f"the crop shows nothing: {path}")
    if crop.orientation != 1:
        message = f"EXIF orientation {crop.orientation}, which some programs ignore: {path}"
        yield warning("rotated", source, message, "save the image upright")
    if crop.truncated:
        # OpenCV 4 fills the missing part with grey. OpenCV 5 refuses the file.
        yield error("truncated", source, f"the image file is incomplete: {path}")


def _has_two_bands(grey: NDArray[np.uint8]) -> bool:
    """Return whether the ink is in exactly two bands of rows of similar height, one above the other."""
    width = max(8, round(grey.shape[1] * _ROWS / grey.shape[0]))
    small = cv2.resize(grey, (min(width, _MAX_COLUMNS), _ROWS), interpolation=cv2.INTER_AREA)
    threshold, _ = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    ink = small > threshold
    # Text covers less than half of a crop, so the smaller part is the ink.
    ink = ~ink if ink.mean() > 0.5 else ink
    filled = np.concatenate(([False], ink.mean(1) > _FILLED, [False]))
    edges = np.flatnonzero(filled[1:] != filled[:-1])
    bands = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= _BAND * _ROWS]
    if len(bands) != 2 or bands[1][0] - bands[0][1] < _GAP * _ROWS:
        return False
    heights = [b - a for a, b in bands]
    left, right = np.transpose([np.flatnonzero(ink[a:b].any(0))[[0, -1]] for a, b in bands])
    shared, narrower = right.min() - left.max(), (right - left).min()
    return bool(min(heights) >= _ALIKE * max(heights) and shared >= _ALIKE * narrower)


def _is_truncated(data: NDArray[np.uint8]) -> bool:
    end = _ENDS.get(data[:2].tobytes())
    return end is not None and end not in data[-_TAIL:].tobytes()
