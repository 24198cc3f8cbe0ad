"""Readings, and the decoders that turn class probabilities into readings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import BLANK, Charset


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a crop and its confidence."""

    text: str
    confidence: float
    """0 to 1."""
    follows: float | None = None
    """The probability that the text follows the rule. None without a rule."""
    admitted: bool | None = None
    """Whether the rule admits the text. False if the crop follows no rule. None without a rule."""


def added_up(probabilities: NDArray[np.float32], charset: Charset) -> NDArray[np.float64]:
    """Return class probabilities of the same shape: those of each character at its first class.

    Args:
        probabilities: of the classes, shape (batch, frames, classes).
        charset: the characters of the classes. Those with aliases have several.
    """
    added = probabilities.astype(np.float64)
    for other, first in charset.alias_classes:
        added[:, :, first] += added[:, :, other]
        added[:, :, other] = 0
    return added


class Decoder(Protocol):
    """Turns class probabilities into readings. Any function of this kind can replace the default decoder."""

    def __call__(self, probabilities: NDArray[np.float32]) -> list[Reading]:
        """Decode class probabilities of shape (batch, frames, classes). Class 0 is the blank."""


@dataclass(frozen=True, slots=True)
class Greedy:
    """Takes the most probable class of each frame, and removes repetitions and blanks, as PaddleOCR does.

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
        readings = []
        for classes, scores, keep in zip(best, peaks, kept, strict=True):
            confidence = float(scores[keep].mean()) if keep.any() else 0.0
            readings.append(Reading(self.charset.decode(classes[keep].tolist()), confidence))
        return readings
