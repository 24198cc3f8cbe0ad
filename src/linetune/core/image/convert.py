"""Convert any kind of image that a program may hold to a crop."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from linetune.core.errors import LinetuneError
from linetune.core.image.codec import decode, read
from linetune.core.image.pixels import Crop, from_array, from_pil, type_name

_SHOWN = 60
"""Characters of a long string that a message shows."""
_LONGEST_PATH = 4096
"""Characters of the longest path on any system."""


def to_crop(source: object, where: object = None) -> Crop:
    """Return the crop that an image of any kind holds.

    Args:
        source: a path; ``bytes`` of an image file; an open file; a PIL image; or a uint8 array, grey
            (height, width) or (height, width, 1), BGR (height, width, 3) or BGRA (height, width, 4).
        where: the name of the image in messages.

    Raises:
        LinetuneError: the source cannot be read, or is not an image.
    """
    if isinstance(source, str):
        _refuse_content(source)
    if isinstance(source, (str, os.PathLike)):
        return read(Path(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return decode(np.frombuffer(source, np.uint8), where)
    if callable(getattr(source, "read", None)):
        return _from_file(source, where)
    if isinstance(source, np.ndarray):
        return from_array(source, where)
    if type(source).__module__.partition(".")[0] == "PIL":
        return from_pil(source, where)
    hint = "cv2.imread returns None for a file that it cannot read" if source is None else None
    kinds = "a path, bytes, an open file, a uint8 array or a PIL image"
    raise LinetuneError(f"expected {kinds}, got {type_name(source)}", where, hint)


def _refuse_content(text: str) -> None:
    """Refuse a string that is not a path.

    Raises:
        LinetuneError: the string is a URL, or longer than any path.
    """
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    if text.startswith("data:"):
        hint = "pass the bytes that base64.b64decode returns for the part after the comma"
        raise LinetuneError("a data URL, not a path", shown, hint)
    if text.startswith(("http://", "https://", "s3://", "gs://")):
        raise LinetuneError("a URL, not a path", shown, "fetch it and pass its bytes")
    if len(text) > _LONGEST_PATH:
        hint = "pass bytes; base64.b64decode decodes base64 to bytes"
        raise LinetuneError(f"{len(text)} characters are too long for a path", shown, hint)


def _from_file(source: Any, where: object) -> Crop:
    """Return the crop in an open file."""
    try:
        content = source.read()
    except (OSError, ValueError) as error:
        raise LinetuneError(f"the file cannot be read ({error})", where, "open it with mode 'rb'") from None
    if not isinstance(content, bytes):
        raise LinetuneError("the file is open as text", where, "open it with mode 'rb'")
    if not content:
        hint = "file.seek(0) goes back to its start"
        raise LinetuneError("the file is empty, or was read to its end", where, hint)
    return decode(np.frombuffer(content, np.uint8), where)
