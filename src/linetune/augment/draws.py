"""Random numbers with an address. Those of a crop depend only on (seed, stage, epoch, crop)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linetune.core.device import to_device

_COLUMNS = {
    # The first number of an operation decides whether it happens, the others are its parameters.
    "wide": 1,
    "join": 2,
    "half_turn": 1,
    "warp": 1 + 5 + 24,
    "crop": 3,
    "blur": 2,
    "brightness": 4,
    "noise": 3,
    "invert": 1,
    "clip": 3,
    "colours": 3,
}
"""How many random numbers each operation uses."""
_STARTS = dict(zip(_COLUMNS, np.cumsum([0, *_COLUMNS.values()]).tolist(), strict=False))
"""Column of each operation's first number."""
COUNT = sum(_COLUMNS.values())
"""How many random numbers a crop gets in an epoch."""


def generator(seed: int, stage: int, epoch: int, index: int) -> np.random.Generator:
    """Return the random generator of one address. Different addresses give independent numbers."""
    # Philox is counter-based: the address is its key and counter, so no stream repeats another.
    key = np.array([seed % 2**64, stage], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, epoch, index], np.uint64)))


def draw(seed: int, stage: int, epoch: int, indices: Sequence[int]) -> NDArray[np.float32]:
    """Draw the random numbers of some crops in an epoch.

    Returns:
        float32 of shape (len(indices), COUNT) in [0, 1). Each row depends only on its crop's index.
    """
    # Each crop has a fixed place in the epoch's stream. One generator per crop would be slower.
    rows = generator(seed, stage, epoch, 0).random((max(indices, default=-1) + 1, COUNT), np.float32)
    return np.asarray(rows[np.asarray(indices, int)])


class Draws:
    """The random numbers of a batch, found by operation.

    Args:
        rows: from :func:`draw`, shape (batch, COUNT).
        device: where the operations run.
    """

    def __init__(self, rows: NDArray[np.float32], device: torch.device) -> None:
        self._rows = to_device(torch.from_numpy(rows), device)

    def of(self, operation: str, probability: float, dimensions: int) -> tuple[Tensor, ...]:
        """Return which crops an operation changes, and each of its other numbers.

        Returns:
            A bool tensor, then tensors of numbers in [0, 1), of ``dimensions`` dimensions each. The first
            dimension is the batch, the others have size 1.
        """
        start = _STARTS[operation]
        numbers = self._rows[:, start : start + _COLUMNS[operation]]
        first, *others = (column.view(-1, *[1] * (dimensions - 1)) for column in numbers.unbind(1))
        return first < probability, *others
