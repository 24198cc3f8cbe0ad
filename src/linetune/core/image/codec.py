"""Read, decode and write image files."""

from __future__ import annotations

import codecs
import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core import atomic, files, untrusted
from linetune.core.errors import LinetuneError, os_errors
from linetune.core.image import header
from linetune.core.image.pixels import Crop, composite, from_pil

_JPEG = {".jpg", ".jpeg", ".jpe", ".jfif", ".jp2"}
SUFFIXES = frozenset(
    _JPEG | {".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif", ".pbm", ".pgm", ".ppm"}
)
"""Suffixes of image files, in lower case. They select files; the content decides the decoder."""

_NAMED = 3
"""Images that a warning names at most."""
_METADATA = 2**18
"""Bytes at the start of a JPEG that are searched for EXIF metadata."""
_TEXT = 2**12
"""Bytes at the start of a file that are searched for what text does not have."""
_ORIENTATION = 274
"""EXIF's tag Orientation."""
_SUBFILE, _NO_PAGE = 254, 0b101
"""TIFF's tag NewSubfileType, and its bits for a reduced copy and for a mask."""
_FRAMES = 100
"""Most pages of a TIFF that are counted. A file of some megabytes may list millions."""
_NOT_IMAGES = {
    b"version https://git-lfs": "a pointer of Git LFS; git lfs pull fetches the image",
    b"<!doctype html": "a web page, not an image",
    b"<html": "a web page, not an image",
    b"%pdf": "a PDF, not an image",
}
"""The first bytes, in lower case, of files that people take for images, and what these files are."""


def read(path: Path) -> Crop:
    """Decode an image file to BGR: upright by its EXIF orientation, transparency composited.

    Raises:
        LinetuneError: the file is missing, empty or not an image.
    """
    return decode(content(path), path)


def content(path: Path) -> NDArray[np.uint8]:
    """Return the bytes of an image file, for :func:`decode`, shape (n,).

    Raises:
        LinetuneError: the file is missing or cannot be read.
    """
    with os_errors("image cannot be read", path):
        try:
            # cv2.imread cannot open paths outside the console's code page on Windows.
            return np.frombuffer(untrusted.read(path, untrusted.IMAGE, "an image file"), np.uint8)
        except FileNotFoundError:
            raise LinetuneError("image not found", path, files.missing_file_hint(path)) from None
        except ValueError:
            raise LinetuneError("image cannot be read (a null character in its path)", str(path)) from None


def in_folder(folder: Path, unreadable: list[LinetuneError] | None = None) -> tuple[list[Path], list[Path]]:
    """Return the image files in a folder and below, by their suffixes, and all other files.

    :func:`linetune.core.files.below` says which files count.

    Args:
        folder: the folder to search.
        unreadable: receives an error for each folder that cannot be read. If None, the error is raised.

    Raises:
        LinetuneError: a folder cannot be read.
    """
    found = files.below(folder, unreadable)
    images = [path for path in found if path.suffix.lower() in SUFFIXES]
    return images, [path for path in found if path.suffix.lower() not in SUFFIXES]


def no_images(folder: Path) -> LinetuneError:
    """Return the error for a folder without images."""
    return LinetuneError("no images in this folder", folder, f"images end in {', '.join(sorted(SUFFIXES))}")


def photo_warning(photos: Sequence[Path], images: int) -> str:
    """Return what to tell the user about images that look like whole photos.

    Args:
        photos: the images for which :func:`is_photo` holds, at least one.
        images: number of all images.
    """
    names = ", ".join(path.name for path in photos[:_NAMED]) + (", ..." if photos[_NAMED:] else "")
    which = f"{len(photos)} of {images} images look like whole photos"
    hint = "cut out the lines first (linetune import does it where they are labelled)"
    return f"warning: {which}, not like crops of one text line: {names}; {hint}"


def decode(data: NDArray[np.uint8], where: object) -> Crop:
    """Decode the content of an image file as :func:`read` does.

    Args:
        data: the bytes of the file, shape (n,).
        where: the name of the image in messages.

    Raises:
        LinetuneError: the content is empty or not an image.
    """
    if data.size == 0:
        raise LinetuneError("image file is empty", where)
    size = header.checked(data.data, where)
    if size is not None and (by_pillow := _by_pillow(data, where)) is not None:
        return by_pillow
    crop = raw = None
    with suppress(cv2.error):
        crop = cv2.imdecode(data, cv2.IMREAD_COLOR) if size else None
        # The image has to be decoded a second time for its alpha.
        raw = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if size and size.transparent else None
    if crop is None:
        start = data[:64].tobytes().lstrip().lower()
        kind = next((kind for mark, kind in _NOT_IMAGES.items() if start.startswith(mark)), None)
        if not kind and _is_text(data):
            kind = "a text file, not an image"
        raise LinetuneError(kind or "not an image that can be decoded", where)
    colours = np.asarray(crop, np.uint8)
    if raw is not None and raw.ndim == 3 and raw.shape[2] == 4 and raw.dtype in (np.uint8, np.uint16):
        in_8_bits = np.asarray(raw // 257 if raw.dtype == np.uint16 else raw).astype(np.uint8)
        return composite(_oriented(in_8_bits, colours))
    return colours


def _is_text(data: NDArray[np.uint8]) -> bool:
    """Return whether the content of a file is lines of text in UTF-8, by its first part."""
    with suppress(UnicodeDecodeError):
        # The first part may end inside a character.
        text = codecs.getincrementaldecoder("utf-8")().decode(data[:_TEXT].tobytes())
        return "\n" in text and "\0" not in text
    return False


def orientation(data: NDArray[np.uint8]) -> int:
    """Return the EXIF orientation of an image file's content, 1 to 8. 1 means upright, and is the default."""
    if data[:2].tobytes() == b"\xff\xd8" and b"Exif" not in data[:_METADATA].tobytes():
        return 1  # Pillow would take longer to say so than OpenCV to decode the crop
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data.tobytes())) as opened:
            found = opened.getexif().get(_ORIENTATION, 1)
    except Exception:
        # Pillow raises anything on broken metadata, and OpenCV reads formats that Pillow does not.
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def write(path: Path, crop: Crop) -> None:
    """Write an image file in the format of its suffix. The file appears whole or not at all.

    Raises:
        LinetuneError: the suffix is no image format, or the file cannot be written.
    """
    try:
        done, data = cv2.imencode(path.suffix, crop)
    except cv2.error:
        done = False
    if not done:
        raise LinetuneError(f"cannot encode an image as {path.suffix!r}", path, "name it .png or .jpg")
    with os_errors("cannot write the image", path), atomic.written(path) as partial:
        partial.write_bytes(data.tobytes())


def _by_pillow(data: NDArray[np.uint8], where: object) -> Crop | None:
    """Decode transparent TIFF and AVIF with Pillow. Return None for other content, or where Pillow fails.

    OpenCV drops a TIFF's alpha or multiplies the colours by it, and does not turn AVIF upright.

    Raises:
        LinetuneError: a TIFF has several pages.
    """
    start = data[:12].tobytes()
    tiff = start.startswith((b"II*\0", b"MM\0*"))
    if not (tiff or start[4:] in (b"ftypavif", b"ftypavis")):
        return None
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data.tobytes())) as opened:
            pages = _pages(opened) if tiff else 1
            crop = None if tiff and not opened.has_transparency_data else from_pil(opened, where)
    except Exception:  # Pillow raises anything on damaged files
        return None
    if pages > 1:
        raise LinetuneError(f"{pages} pages, but a crop is one image", where, "save each page as a file")
    return crop


def _pages(tiff: Any) -> int:
    """Return the number of pages of a TIFF opened by Pillow. Reduced copies and masks are not pages."""
    pages = 0
    with suppress(EOFError):  # after the last one
        for number in range(_FRAMES):
            tiff.seek(number)
            pages += not tiff.tag_v2.get(_SUBFILE, 0) & _NO_PAGE
    tiff.seek(0)
    return pages


def _oriented(bgra: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """Return BGRA turned as ``crop`` is: OpenCV applies the EXIF orientation only when it drops alpha."""
    for mirrored in (bgra, bgra[:, ::-1]):
        for quarters in range(4):
            turned = np.rot90(mirrored, quarters)
            if turned.shape[:2] == crop.shape[:2] and np.array_equal(turned[..., :3], crop):
                return turned
    return bgra
