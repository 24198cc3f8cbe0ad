"""Readings, and the decoders that turn class probabilities into readings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from linetune.core.charset import BLANK, Charset


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a crop and its confidence."""

    text: str
    confidence: float
    """0 to 1. With a calibrated model, the probability that the whole text is right. Otherwise the score."""
    score: float | None = field(default=None, compare=False, repr=False)
    """PaddleOCR's score, 0 to 1: the mean of the peaks. It is no probability."""
    characters: tuple[float, ...] = field(default=(), compare=False, repr=False)
    """The largest probability of each character in its frames, 0 to 1, from left to right. They are not
    calibrated."""
    accepted: bool | None = field(default=None, repr=False)
    """Whether the promise of the model accepts the reading. None if the model has no promise."""
    follows: float | None = None
    """The probability that the crop follows the rule. None without a rule."""
    admitted: bool | None = None
    """Whether the rule admits the text. False if the crop follows no rule. None without a rule."""

    @property
    def may_be_right(self) -> bool:
        """Whether there is a text, and the rule admits it if there is a rule."""
        return bool(self.text) and self.admitted is not False


def added_up(probabilities: NDArray[np.float32], charset: Charset) -> NDArray[np.float32]:
    """Return class probabilities of the same shape: those of each character at its first class.

    Without aliases, they are the same array.

    Args:
        probabilities: of the classes, shape (batch, frames, classes).
        charset: the characters of the classes. Those with aliases have several.
    """
    added = probabilities.copy() if charset.alias_classes else probabilities
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
            text = self.charset.decode(classes[keep].tolist())
            readings.append(Reading(text, confidence, confidence, _largest(classes, scores, keep)))
        return readings


def _largest(
    classes: NDArray[np.int64], scores: NDArray[np.float32], kept: NDArray[np.bool_]
) -> tuple[float, ...]:
    """Return the largest probability of each kept character in the frames that repeat it."""
    starts = np.flatnonzero(np.diff(classes, prepend=-1))
    return tuple(np.maximum.reduceat(scores, starts)[kept[starts]].tolist()) if len(starts) else ()
