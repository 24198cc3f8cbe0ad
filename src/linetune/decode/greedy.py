"""Greedy CTC decoding, as every PP-OCR client does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import BLANK, Charset


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read on one crop."""

    text: str
    confidence: float
    """Mean of the kept frames' largest probabilities, 0 for an empty text (PaddleOCR's score)."""


def greedy(probabilities: NDArray[np.float32], charset: Charset) -> list[Reading]:
    """Decode class probabilities of shape (batch, frames, classes)."""
    best = probabilities.argmax(2)
    peaks = np.take_along_axis(probabilities, best[:, :, None], 2)[:, :, 0]
    kept = best != BLANK
    kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    return [
        Reading(charset.decode(classes[keep].tolist()), float(peak[keep].mean()) if keep.any() else 0.0)
        for classes, peak, keep in zip(best, peaks, kept, strict=True)
    ]
