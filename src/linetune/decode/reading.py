"""What a decoder gives, and what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a crop and its confidence."""

    text: str
    confidence: float
    """0 to 1."""


class Decoder(Protocol):
    """Turns class probabilities into readings. Any function of this kind can take the place of the
    default."""

    def __call__(self, probabilities: NDArray[np.float32]) -> list[Reading]:
        """Decode class probabilities of shape (batch, frames, classes). Class 0 is the blank."""
