"""Convert arrays and PIL images to BGR without transparency."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from linetune.core.errors import LinetuneError

Crop = NDArray[np.uint8]
"""One text line: BGR, shape (height, width, 3)."""
FLAT = 3.0
"""Standard deviation in grey levels. Below it, a crop shows nothing."""
_STRIP = 1 << 20
"""Pixels that are composited at a time, because their fractions take eight times the memory."""


def is_flat(crop: Crop) -> bool:
    """Return whether nothing shows on a crop."""
    return float(cv2.meanStdDev(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY))[1].item()) < FLAT


def composite(pixels: NDArray[np.uint8]) -> Crop:
    """Return BGRA composited on white, or on black if something shows on black only.

    If alpha is 0 everywhere, it is ignored: screen grabbers leave the fourth byte empty.

    Args:
        pixels: uint8 of shape (height, width, 4).
    """
    if not pixels[..., 3].any():
        return np.ascontiguousarray(pixels[..., :3])
    on_white, on_black = (np.empty((*pixels.shape[:2], 3), np.uint8) for _ in range(2))
    step = max(1, _STRIP // pixels.shape[1])
    for top in range(0, len(pixels), step):
        strip = pixels[top : top + step]
        alpha = strip[..., 3:].astype(np.float32) / 255
        ink = strip[..., :3] * alpha
        for out, ground in ((on_white, 255), (on_black, 0)):
            out[top : top + step] = (ink + ground * (1 - alpha)).round()
    return on_black if is_flat(on_white) and not is_flat(on_black) else on_white


def from_array(pixels: NDArray[np.generic], where: object) -> Crop:
    """Return the crop that an array holds: grey, BGR or BGRA.

    Raises:
        LinetuneError: the array has another shape or type; ``where`` is its name in the message.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
    if (
        pixels.dtype != np.uint8
        or pixels.ndim not in (2, 3)
        or channels not in (1, 3, 4)
        or 0 in pixels.shape
    ):
        raise LinetuneError(
            "expected a uint8 array of shape (height, width), or with 1, 3 (BGR) or 4 (BGRA) channels, "
            f"got {type_name(pixels)}",
            where,
            "scale its values to 0 to 255 and convert it" if pixels.dtype != np.uint8 else None,
        )
    if channels == 4:
        return composite(np.asarray(pixels, np.uint8))
    plain = np.asarray(pixels, np.uint8).reshape(*pixels.shape[:2], channels)
    return np.ascontiguousarray(np.broadcast_to(plain, (*plain.shape[:2], 3)))


def from_pil(source: Any, where: object) -> Crop:
    """Return the crop that a PIL image holds, upright by its EXIF orientation.

    Raises:
        LinetuneError: the image cannot be read, or has no defined range of values; ``where`` is its name in
            the message.
    """
    from PIL import ImageOps

    try:
        upright = ImageOps.exif_transpose(source)
        if upright.mode.startswith("I;16"):
            return from_array(np.asarray(np.asarray(upright) // 257, np.uint8), where)
        if upright.mode in ("I", "F"):
            raise LinetuneError(
                f"the values of a PIL image of mode {upright.mode} have no fixed range",
                where,
                "scale them to 0 to 255 and convert the image to mode L",
            )
        colours = np.asarray(upright.convert("RGBA" if upright.has_transparency_data else "RGB"))
    except (OSError, ValueError, AssertionError) as error:
        reason = str(error) or "it is closed"
        raise LinetuneError(f"the PIL image cannot be read ({reason})", where) from None
    order = [2, 1, 0, 3][: colours.shape[2]]
    return from_array(np.ascontiguousarray(colours[..., order]), where)


def type_name(source: object) -> str:
    """Return what an object is, for a message: its type, or the type and shape of an array."""
    if isinstance(source, np.ndarray):
        return f"{source.dtype} {source.shape}"
    return "None" if source is None else type(source).__name__
