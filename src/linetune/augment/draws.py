"""Random numbers with an address: those of a crop depend only on (seed, stage, epoch, crop)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linetune.core.device import to_device

_COLUMNS = {
    # the gate, then the parameters of the operation
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
_STARTS = dict(zip(_COLUMNS, np.cumsum([0, *_COLUMNS.values()]).tolist(), strict=False))
COUNT = sum(_COLUMNS.values())


def generator(seed: int, stage: int, epoch: int, index: int) -> np.random.Generator:
    """Return a generator for one address. Philox is counter-based, so that addresses never overlap."""
    key = np.array([seed % 2**64, stage], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array([0, 0, epoch, index], np.uint64)))


def draw(seed: int, stage: int, epoch: int, indices: Sequence[int]) -> NDArray[np.float32]:
    """Return uniform numbers in [0, 1) of shape (len(indices), COUNT), one row for each crop."""
    # The row of a crop has a fixed place in the stream of the epoch, so that one generator is enough.
    rows = generator(seed, stage, epoch, 0).random((max(indices, default=-1) + 1, COUNT), np.float32)
    return np.asarray(rows[np.asarray(indices, int)])


class Draws:
    """The random numbers of a batch, by operation."""

    def __init__(self, rows: NDArray[np.float32], device: torch.device) -> None:
        self._rows = to_device(torch.from_numpy(rows), device)

    def gate(self, operation: str, probability: float) -> Tensor:
        """Return which crops get an operation: bool of shape (batch,)."""
        return self._rows[:, _STARTS[operation]] < probability

    def parameters(self, operation: str) -> Tensor:
        """Return the parameters of an operation: (batch, n) in [0, 1)."""
        start = _STARTS[operation]
        return self._rows[:, start + 1 : start + _COLUMNS[operation]]
