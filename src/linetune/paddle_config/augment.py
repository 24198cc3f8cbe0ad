"""Convert augmentation, batch size and heights from PaddleOCR's names to linetune's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from linetune.paddle_config.document import Document

HEIGHTS = (32, 48, 64)
"""Heights in px that ``augment.heights`` of a stage may hold."""
_NO_PAIRS = "expected pairs of width and height, such as [[320, 48]]"
_TRANSFORMS = "Train.dataset.transforms"
_OPERATIONS = {
    "tia_prob": "warp",
    "crop_prob": "crop",
    "blur_prob": "blur",
    "hsv_aug_prob": "brightness",
    "noise_prob": "noise",
    "reverse_prob": "invert",
}
"""The probabilities of PaddleOCR's RecAug, and linetune's operations that do the same."""
_DEFAULT_PROBABILITY = 0.4
"""RecAug's default for each of them."""
_DEFAULT_JOIN = 0.5
"""RecConAug's default probability."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Batch size and heights of a stage."""

    batch_size: int
    """Crops in a batch of linetune."""
    heights: list[int]
    """Heights in px that linetune draws from."""
    paddle_batches: list[int]
    """Crops in a batch of PaddleOCR, one number for each of its heights."""


def read_augment(document: Document) -> dict[str, float]:
    """Return the probability of each operation, and note what an operation does differently in linetune.

    Raises:
        LinetuneError: a value is not a probability.
    """
    augment: dict[str, float] = {}
    key = f"{_TRANSFORMS}.RecAug"
    if document.has(key):
        document.take(key)
        augment = {
            operation: document.number(f"{key}.{name}", _DEFAULT_PROBABILITY, 0, 1)
            for name, operation in _OPERATIONS.items()
        }
        document.take(f"{key}.jitter_prob")
        document.note(
            key,
            "brightness and noise are visible in linetune; in PaddleOCR they change values by about one "
            "grey level. linetune leaves out jitter, which changes less",
        )
    key = f"{_TRANSFORMS}.RecConAug"
    if document.has(key):
        document.take_all(key)
        augment["join"] = document.number(f"{key}.prob", _DEFAULT_JOIN, 0, 1)
        others = document.count(f"{key}.ext_data_num", 1)
        joined = f"up to {others} more crops" if others > 1 else "one more crop"
        document.note(
            key,
            f"PaddleOCR joins {joined}, within 320 px and max_text_length; linetune joins one, within 320 px",
        )
    return {name: probability for name, probability in augment.items() if probability}


def read_sizes(document: Document) -> Sizes:
    """Return batch size and heights, from the sampler if there is one, otherwise from loader and transforms.

    Raises:
        LinetuneError: the batch size or a scale is not valid.
    """
    loader, key = "Train.loader.batch_size_per_card", "Train.sampler.scales"
    shape = document.take(f"{_TRANSFORMS}.RecResizeImg.image_shape")
    document.take_all(f"{_TRANSFORMS}.RecResizeImg")
    if not document.has("Train.sampler.first_bs") and not document.has(key):
        batch_size = document.count(loader)
        height = shape[1] if isinstance(shape, list) and len(shape) == 3 else 48
        heights = _usable_heights(document, f"{_TRANSFORMS}.RecResizeImg", [height])
        return Sizes(batch_size, heights, [batch_size])
    document.take(loader)  # PaddleOCR ignores it if there is a sampler
    batch_size = document.count("Train.sampler.first_bs", 128)
    pairs = document.take(key) or [[320, 48]]
    if not isinstance(pairs, list):
        raise document.error(_NO_PAIRS, key)
    scales = [_scale(document, key, pair) for pair in pairs]
    batches = [batch_size] * len(scales)
    if not document.flag("Train.sampler.fix_bs", True):
        width, height = scales[0]
        batches = [max(1, width * height * batch_size // (w * h)) for w, h in scales]
    if len(set(batches)) > 1:
        by_height = ", ".join(f"{size} of height {h}" for size, (_, h) in zip(batches, scales, strict=True))
        document.note(
            "Train.sampler.fix_bs",
            f"batches of PaddleOCR hold {by_height}; those of linetune hold {batch_size} of each height",
        )
    if any(width != 320 for width, _ in scales):
        document.note(key, "linetune pads a batch to the width of its crops, not to a fixed width")
    heights = _usable_heights(document, key, [height for _, height in scales])
    return Sizes(batch_size, heights, batches)


def _scale(document: Document, key: str, scale: Any) -> tuple[int, int]:
    """Return width and height in px. PaddleOCR takes one number for both."""
    pair = [scale, scale] if isinstance(scale, int) else scale
    whole = isinstance(pair, list) and all(isinstance(side, int) and side > 0 for side in pair)
    if not whole or len(pair) != 2:
        raise document.error(_NO_PAIRS, key)
    return int(pair[0]), int(pair[1])


def _usable_heights(document: Document, key: str, heights: list[Any]) -> list[int]:
    """Return the heights that linetune has, or 48 px if it has none of them. Note the others."""
    usable = sorted({int(height) for height in heights if height in HEIGHTS})
    left_out = [str(height) for height in heights if height not in HEIGHTS]
    if left_out:
        document.note(
            key,
            f"linetune leaves out height {', '.join(left_out)}; it has {', '.join(map(str, HEIGHTS))}",
        )
    return usable or [48]
