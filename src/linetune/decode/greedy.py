"""Greedy CTC decoding, as in PaddleOCR, PaddleX and RapidOCR."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import BLANK, Charset
from linetune.decode.reading import Reading


@dataclass(frozen=True, slots=True)
class Greedy:
    """Takes the most probable class of each frame, and removes repetitions and blanks.

    The confidence is PaddleOCR's score: the mean of the largest probabilities of the kept frames, 0 for an
    empty text.
    """

    charset: Charset

    def __call__(self, probabilities: NDArray[np.float32]) -> list[Reading]:
        """Decode class probabilities of shape (batch, frames, classes)."""
        best = probabilities.argmax(2)
        peaks = np.take_along_axis(probabilities, best[:, :, None], 2)[:, :, 0]
        kept = best != BLANK
        kept[:, 1:] &= best[:, 1:] != best[:, :-1]
        texts = [self.charset.decode(row[keep].tolist()) for row, keep in zip(best, kept, strict=True)]
        scores = [
            float(row[keep].mean()) if keep.any() else 0.0 for row, keep in zip(peaks, kept, strict=True)
        ]
        return list(map(Reading, texts, scores))
