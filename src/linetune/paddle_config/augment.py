"""Augmentation: PaddleOCR's transforms and its sampler of several heights, by linetune's names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linetune.paddle_config.document import Document

HEIGHTS = (32, 48, 64)
"""What a stage's batches may be scaled to here."""
_TRANSFORMS = "Train.dataset.transforms"
_GATES = {
    "tia_prob": "warp",
    "crop_prob": "crop",
    "blur_prob": "blur",
    "hsv_aug_prob": "brightness",
    "noise_prob": "noise",
    "reverse_prob": "invert",
}
"""RecAug's probabilities, and the operations here that do the same."""
_GATE = 0.4
"""RecAug's own value for each."""
_JOIN = 0.5
"""RecConAug's own probability."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a stage's batches look like."""

    batch_size: int
    heights: list[int]
    batches: list[int]
    """Crops in PaddleOCR's batches, one number a height."""


def read_augment(document: Document) -> dict[str, float]:
    """The probability of each operation; notes what it does differently here.

    Raises:
        LinetuneError: a probability is none.
    """
    augment: dict[str, float] = {}
    key = f"{_TRANSFORMS}.RecAug"
    if document.has(key):
        document.take(key)
        augment = {here: document.number(f"{key}.{there}", _GATE, 0, 1) for there, here in _GATES.items()}
        document.take(f"{key}.jitter_prob")
        document.note(
            key,
            "brightness and noise are visible here, there they change values by about one grey level; "
            "its jitter, which does less, is left out",
        )
    key = f"{_TRANSFORMS}.RecConAug"
    if document.has(key):
        document.take_below(key)
        augment["join"] = document.number(f"{key}.prob", _JOIN, 0, 1)
        others = document.count(f"{key}.ext_data_num", 1)
        document.note(
            key,
            f"joins {f'up to {others} more crops' if others > 1 else 'another crop'} there as far as 320 px "
            "and max_text_length allow; here one, as far as 320 px allow",
        )
    return {name: probability for name, probability in augment.items() if probability}


def read_sizes(document: Document) -> Sizes:
    """Batch size and heights, from the sampler where there is one.

    Raises:
        LinetuneError: the batch size or a scale is none.
    """
    loader, key = "Train.loader.batch_size_per_card", "Train.sampler.scales"
    shape = document.take(f"{_TRANSFORMS}.RecResizeImg.image_shape")
    document.take_below(f"{_TRANSFORMS}.RecResizeImg")
    if not document.has("Train.sampler.first_bs") and not document.has(key):
        batch_size = document.count(loader)
        height = shape[1] if isinstance(shape, list) and len(shape) == 3 else 48
        return Sizes(batch_size, _usable(document, f"{_TRANSFORMS}.RecResizeImg", [height]), [batch_size])
    document.take(loader)  # PaddleOCR's own samplers make it idle
    batch_size = document.count("Train.sampler.first_bs", 128)
    given = document.take(key) or [[320, 48]]
    if not isinstance(given, list):
        raise document.error("expected pairs of width and height", key)
    scales = [_scale(document, key, scale) for scale in given]
    batches = [batch_size] * len(scales)
    if not document.flag("Train.sampler.fix_bs", True):
        width, height = scales[0]
        batches = [max(1, width * height * batch_size // (w * h)) for w, h in scales]
    if len(set(batches)) > 1:
        there = ", ".join(f"{size} of height {h}" for size, (_, h) in zip(batches, scales, strict=True))
        document.note(
            "Train.sampler.fix_bs",
            f"batches hold {there} crops there; here {batch_size} of every height",
        )
    if any(width != 320 for width, _ in scales):
        document.note(key, "batches are 320 px wide or less here, in steps, whatever their height")
    return Sizes(batch_size, _usable(document, key, [height for _, height in scales]), batches)


def _scale(document: Document, key: str, scale: Any) -> tuple[int, int]:
    pair = [scale, scale] if isinstance(scale, int) else scale
    whole = isinstance(pair, list) and all(isinstance(side, int) and side > 0 for side in pair)
    if not whole or len(pair) != 2:
        raise document.error("expected pairs of width and height", key)
    return int(pair[0]), int(pair[1])


def _usable(document: Document, key: str, heights: list[Any]) -> list[int]:
    """The heights that there are here; the standard one where there are none."""
    usable = sorted({int(height) for height in heights if height in HEIGHTS})
    beyond = [str(height) for height in heights if height not in HEIGHTS]
    if beyond:
        document.note(
            key, f"height {', '.join(beyond)} is none of {', '.join(map(str, HEIGHTS))} and left out"
        )
    return usable or [48]
