"""Crops in and network input out: the only preprocessing, shared by training, evaluation and export.

It is what deployed PP-OCR recognisers do: BGR, height 48, the line's own width, bilinear,
``x / 127.5 - 1``, padded on the right with 0 to at least 320 px.
"""

from __future__ import annotations

import io
import math
import os
import stat
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import atomic, files
from linetune.core.errors import LinetuneError, os_errors

HEIGHT = 48
"""Height of the network's input, px."""
MIN_WIDTH = 320
"""Width to which every deployed reader pads a narrower line, px (PaddleX, RapidOCR)."""
MAX_WIDTH = 3200
"""Widest line that PaddleX reads without squashing it, px."""
FLAT = 3.0
"""Standard deviation in grey levels below which a crop shows nothing."""

_ORIENTATION = 274
"""EXIF's tag Orientation."""
_SUBFILE, _NO_PAGE = 254, 0b101
"""TIFF's tag NewSubfileType, and its bits for a reduced copy and for a mask."""
_JPEG = {".jpg", ".jpeg", ".jpe", ".jfif", ".jp2"}
SUFFIXES = frozenset(
    _JPEG | {".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif", ".pbm", ".pgm", ".ppm"}
)
"""How the names of images end, in lower case; what is in a file is told by its content."""

Crop = NDArray[np.uint8]
"""One text line: BGR, shape (height, width, 3)."""


_SHOWN, _LONGEST = 60, 4096
"""Characters of a string that a message shows, and most that a path has on any system."""
_OTHERS = {
    b"version https://git-lfs": "a pointer of Git LFS; git lfs pull fetches the image",
    b"<!doctype html": "a web page, and no image",
    b"<html": "a web page, and no image",
    b"%pdf": "a PDF, and no image",
}
"""What files that are no images may begin with, in small letters, and what they are."""


def read(path: Path) -> Crop:
    """Decode an image file to BGR, turned upright by its EXIF orientation, and made :func:`opaque`.

    Raises:
        LinetuneError: the file is missing, empty or no image.
    """
    try:
        if stat.S_ISFIFO(path.stat().st_mode) and path.parts[1:2] not in (("dev",), ("proc",)):
            # Nobody may ever write into it.
            raise LinetuneError("a pipe, and no image file", path)
        # cv2.imread cannot open paths outside the console's code page on Windows.
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise LinetuneError("image not found", path, files.missing_file_hint(path)) from None
    except OSError as error:
        raise LinetuneError(f"image cannot be read ({error.strerror})", path) from None
    except ValueError:
        raise LinetuneError("image cannot be read (a null character in its path)", str(path)) from None
    return decode(data, path)


def in_folder(folder: Path, unreadable: list[LinetuneError] | None = None) -> tuple[list[Path], list[Path]]:
    """The images below a folder, told by their names, and the other files; as :func:`files.below` counts.

    Args:
        folder: where to look.
        unreadable: gets what is wrong with folders that cannot be read, which otherwise is raised.

    Raises:
        LinetuneError: a folder cannot be read.
    """
    found = files.below(folder, unreadable)
    images = [path for path in found if path.suffix.lower() in SUFFIXES]
    return images, [path for path in found if path.suffix.lower() not in SUFFIXES]


def decode(data: NDArray[np.uint8], where: object) -> Crop:
    """Decode an image file's content as :func:`read` does.

    Raises:
        LinetuneError: it is empty or no image; ``where`` says which one.
    """
    if data.size == 0:
        raise LinetuneError("image file is empty", where)
    if (by_pillow := _by_pillow(data, where)) is not None:
        return by_pillow
    try:
        crop = cv2.imdecode(data, cv2.IMREAD_COLOR)
        whole = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if _may_be_transparent(data) else None
    except cv2.error:
        crop = None
    if crop is None:
        start = data[:64].tobytes().lstrip().lower()
        told = next((what for begins, what in _OTHERS.items() if start.startswith(begins)), None)
        raise LinetuneError(told or "not an image that can be decoded", where)
    colours = np.asarray(crop, np.uint8)
    if whole is not None and whole.ndim == 3 and whole.shape[2] == 4 and whole.dtype in (np.uint8, np.uint16):
        sixteen_bits = whole.dtype == np.uint16
        return opaque(
            _oriented(np.asarray(whole // 257 if sixteen_bits else whole).astype(np.uint8), colours)
        )
    return colours


def orientation(path: Path) -> int:
    """An image file's orientation as EXIF counts, 1 to 8; 1, upright, where it says nothing."""
    from PIL import Image

    try:
        with Image.open(path) as opened:
            found = opened.getexif().get(_ORIENTATION, 1)
    except Exception:
        # Pillow raises anything on broken metadata, and OpenCV reads formats that Pillow does not.
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _by_pillow(data: NDArray[np.uint8], where: object) -> Crop | None:
    """What OpenCV decodes wrongly: it drops or multiplies in TIFF's alpha, and does not turn AVIF upright.

    None where the content is something else, or where Pillow cannot decode it.
    """
    start = data[:12].tobytes()
    tiff = start.startswith((b"II*\0", b"MM\0*"))
    if not (tiff or start[4:] in (b"ftypavif", b"ftypavis")):
        return None
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data.tobytes())) as opened:
            pages = _pages(opened) if tiff else 1
            found = None if tiff and not opened.has_transparency_data else _of_pil(opened, where)
    except (OSError, LinetuneError):
        return None
    if pages > 1:
        raise LinetuneError(
            f"{pages} pages, where a crop is one", where, "save each page as a file of its own"
        )
    return found


def _pages(tiff: Any) -> int:
    """How many pages a TIFF that Pillow opened has; small copies and masks of one are none."""
    pages = 0
    for number in reversed(range(tiff.n_frames)):
        tiff.seek(number)
        pages += not tiff.tag_v2.get(_SUBFILE, 0) & _NO_PAGE
    return pages


def _may_be_transparent(data: NDArray[np.uint8]) -> bool:
    """Whether a file may hold alpha, which has to be decoded a second time."""
    start = data[:26].tobytes()
    if start.startswith(b"\x89PNG"):
        # Colour types 4 and 6 have alpha. A chunk tRNS before the pixels makes some colours transparent.
        before_pixels = data.tobytes().partition(b"IDAT")[0]
        return start[25:26] in (b"\4", b"\6") or b"tRNS" in before_pixels
    # The fourth channel of a bitmap is seldom meant as alpha, and mostly zero.
    return not start.startswith((b"\xff\xd8", b"BM", b"P"))


def _oriented(whole: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """BGRA as its file has it, turned as OpenCV turns the same image's BGR by its EXIF orientation."""
    for mirrored in (whole, whole[:, ::-1]):
        for quarters in range(4):
            turned = np.rot90(mirrored, quarters)
            if turned.shape[:2] == crop.shape[:2] and np.array_equal(turned[..., :3], crop):
                return turned
    return whole


def opaque(pixels: NDArray[np.uint8]) -> Crop:
    """BGR of BGRA: on white, or on black where nothing would show on white and something does on black.

    Where alpha is 0 everywhere nobody meant it: programs that grab screens leave the fourth byte empty.

    Args:
        pixels: uint8 of shape (height, width, 4).
    """
    if not pixels[..., 3].any():
        return np.ascontiguousarray(pixels[..., :3])
    alpha = pixels[..., 3:].astype(np.float32) / 255
    ink = pixels[..., :3] * alpha
    on_white, on_black = (
        np.ascontiguousarray((ink + ground * (1 - alpha)).round(), np.uint8) for ground in (255, 0)
    )
    return on_black if is_flat(on_white) and not is_flat(on_black) else on_white


def is_flat(crop: Crop) -> bool:
    """Whether nothing shows on a crop."""
    return float(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY).std()) < FLAT


def to_crop(source: object, where: object = None) -> Crop:
    """The crop that any kind of image is: a file, its path or content, an array, or a PIL image.

    Args:
        source: a path; ``bytes`` of an image file; an open file; a PIL image; or a uint8 array, grey
            (height, width) or (height, width, 1), BGR (height, width, 3) or BGRA (height, width, 4).
        where: what to call it in messages.

    Raises:
        LinetuneError: it cannot be read, or is no image.
    """
    if isinstance(source, str) and (told := _no_path(source)):
        raise LinetuneError(*told)
    if isinstance(source, (str, os.PathLike)):
        return read(Path(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return decode(np.frombuffer(source, np.uint8), where)
    if callable(getattr(source, "read", None)):
        return _of_file(source, where)
    if isinstance(source, np.ndarray):
        return _of_array(source, where)
    if type(source).__module__.partition(".")[0] == "PIL":
        return _of_pil(source, where)
    hint = "cv2.imread gives None for a file that it cannot read" if source is None else None
    known = "a path, bytes, an open file, a uint8 array or a PIL image"
    raise LinetuneError(f"expected {known}, got {_kind(source)}", where, hint)


def _no_path(text: str) -> tuple[str, object, str] | None:
    """What a string is that is no path, its beginning, and the way out."""
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    if text.startswith("data:"):
        return "a data URL, and no path", shown, "pass the bytes that base64.b64decode gives after the comma"
    if text.startswith(("http://", "https://", "s3://", "gs://")):
        return "a URL, and no path", shown, "fetch it, and pass its bytes"
    if len(text) > _LONGEST:
        return (
            f"{len(text)} characters are no path",
            shown,
            "pass bytes; base64.b64decode makes them of base64",
        )
    return None


def _of_file(source: Any, where: object) -> Crop:
    try:
        content = source.read()
    except (OSError, ValueError) as error:
        raise LinetuneError(f"the file cannot be read ({error})", where, "open it with mode 'rb'") from None
    if not isinstance(content, bytes):
        raise LinetuneError("the file is open as text", where, "open it with mode 'rb'")
    if not content:
        raise LinetuneError("the file is empty, or was read to its end", where, "file.seek(0) goes back")
    return decode(np.frombuffer(content, np.uint8), where)


def _of_array(pixels: NDArray[np.generic], where: object) -> Crop:
    grey = pixels.ndim == 2
    channels = 1 if grey else pixels.shape[-1]
    if (
        pixels.dtype != np.uint8
        or pixels.ndim not in (2, 3)
        or channels not in (1, 3, 4)
        or 0 in pixels.shape
    ):
        raise LinetuneError(
            "expected a uint8 array of shape (height, width), or with 1, 3 (BGR) or 4 (BGRA) channels, "
            f"got {_kind(pixels)}",
            where,
            "scale its values to 0 to 255 and convert it" if pixels.dtype != np.uint8 else None,
        )
    if channels == 4:
        return opaque(np.asarray(pixels, np.uint8))
    plain = np.asarray(pixels, np.uint8).reshape(*pixels.shape[:2], channels)
    return np.ascontiguousarray(np.broadcast_to(plain, (*plain.shape[:2], 3)))


def _of_pil(source: Any, where: object) -> Crop:
    from PIL import ImageOps

    try:
        upright = ImageOps.exif_transpose(source)
        if upright.mode.startswith("I;16"):
            return _of_array(np.asarray(np.asarray(upright) // 257, np.uint8), where)
        if upright.mode in ("I", "F"):
            raise LinetuneError(
                f"a PIL image of mode {upright.mode} has no range of its own", where, "convert it to L"
            )
        colours = np.asarray(upright.convert("RGBA" if upright.has_transparency_data else "RGB"))
    except (OSError, ValueError, AssertionError) as error:
        reason = str(error) or "it is closed"
        raise LinetuneError(f"the PIL image cannot be read ({reason})", where) from None
    order = [2, 1, 0, 3][: colours.shape[2]]
    return _of_array(np.ascontiguousarray(colours[..., order]), where)


def _kind(source: object) -> str:
    if isinstance(source, np.ndarray):
        return f"{source.dtype} {source.shape}"
    return "None" if source is None else type(source).__name__


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
    with os_errors("cannot write the image", path), atomic.written(path) as partial:
        partial.write_bytes(data.tobytes())


def line_width(height: int, width: int) -> int:
    """Width in px of a line of the given size once its height is 48.

    Rounded up as far as 320 px and down beyond, as PaddleX and RapidOCR do it.
    """
    ratio = width / height
    return max(1, math.ceil(HEIGHT * ratio) if HEIGHT * ratio <= MIN_WIDTH else int(HEIGHT * ratio))


def input_width(width: int) -> int:
    """Padded width in px at which deployed readers run a line of that width at height 48."""
    return max(MIN_WIDTH, width)


def fitting(count: int, width: int) -> int:
    """Images of a width that take no more room than ``count`` of :data:`MIN_WIDTH` do; at least one."""
    return max(1, count * MIN_WIDTH // max(width, MIN_WIDTH))


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
