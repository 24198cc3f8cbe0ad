"""Batches of like widths, so that short lines do not pay for long ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linetune.image import MAX_WIDTH, MIN_WIDTH

WIDTHS = np.array((64, 96, 128, 160, 192, 256, MIN_WIDTH, 480, 640, 960, 1280, 1920, 2560, MAX_WIDTH))
"""Padded widths of training batches, px: a few, since every further one costs memory."""
WIDE_SHARE = 0.1
"""Share of samples padded to the deployment width, so that the network knows the padding it will meet."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of one step and their padded width, in the unit of the widths that were planned."""

    indices: NDArray[np.int64]
    width: int


def plan_epoch(
    widths: Sequence[int] | NDArray[np.int64], batch_size: int, rng: np.random.Generator, mixed: bool = True
) -> list[Batch]:
    """Every sample once, in batches of like widths and random order.

    Args:
        widths: padded width of each sample: px, or frames of features.
        batch_size: samples a batch.
        rng: draws the order.
        mixed: fill a width's last batch with wider samples, so that only one of an epoch is smaller;
            otherwise every batch has samples of one width alone, and the last of each width may be smaller.
    """
    needed = np.asarray(widths)
    order = rng.permutation(len(needed))
    batches, rest = [], order[:0]
    for width in np.unique(needed):
        members = np.concatenate((rest, order[needed[order] == width]))
        whole = len(members) if not mixed else len(members) // batch_size * batch_size
        batches += [Batch(members[i : i + batch_size], int(width)) for i in range(0, whole, batch_size)]
        rest = members[whole:]
    if len(rest):
        batches.append(Batch(rest, int(needed.max())))
    return [batches[i] for i in rng.permutation(len(batches))]


def bucket(width: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """The padded width for samples that need ``width`` px."""
    return np.asarray(WIDTHS[np.searchsorted(WIDTHS, width)])
