"""Batches of like widths, so that short lines do not pay for long ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linetune.image import MAX_WIDTH, MIN_WIDTH

WIDTHS = np.array((64, 96, 128, 160, 192, 256, MIN_WIDTH, 480, 640, 960, 1280, 1920, 2560, MAX_WIDTH))
"""Padded widths of training batches, px: a few, since every further one costs memory."""
POOL = 16
"""Batches sorted by width together: more pad less, fewer mix better."""
WIDE_SHARE = 0.1
"""Share of batches padded to the deployment width, so that the network knows the padding it will meet."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of one step and their padded width in px."""

    indices: NDArray[np.int64]
    width: int


def plan_epoch(widths: Sequence[int], batch_size: int, rng: np.random.Generator) -> list[Batch]:
    """Every sample once, in batches of like widths and random order.

    Args:
        widths: least width of each sample, px.
        batch_size: samples a batch; the last of an epoch may have fewer.
        rng: draws the order and which batches are padded wide.
    """
    needed = np.asarray(widths)
    order = rng.permutation(len(needed))
    batches = []
    for start in range(0, len(order), batch_size * POOL):
        pool = order[start : start + batch_size * POOL]
        pool = pool[np.argsort(needed[pool], kind="stable")]
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    wide = rng.random(len(batches)) < WIDE_SHARE
    planned = [
        Batch(indices, max(bucket(int(needed[indices].max())), MIN_WIDTH if is_wide else 0))
        for indices, is_wide in zip(batches, wide, strict=True)
    ]
    return [planned[i] for i in rng.permutation(len(planned))]


def bucket(width: int) -> int:
    """The padded width for a sample that needs ``width`` px."""
    return int(WIDTHS[np.searchsorted(WIDTHS, width)])
