"""Batches of like widths and of bounded area, so that short lines do not pay for long ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linetune.core.image import MAX_WIDTH, MIN_WIDTH, fitting

WIDTHS = np.array(
    (64, 96, 128, 160, 192, 256, MIN_WIDTH, 384, 480, 576, 704, 864, 1056, 1312, 1600, 1952, 2400, MAX_WIDTH)
)
"""Padded widths of training batches, px. They are few, since every further one costs memory; above
:data:`MIN_WIDTH` they lie a fifth to a third apart, so that a long line is padded by a tenth on average."""
WIDE_SHARE = 0.1
"""Share of samples padded to the deployment width, so that the network knows the padding it will meet."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples of one step and their padded width, in the unit of the widths that were planned."""

    indices: NDArray[np.int64]
    width: int


def plan_epoch(
    widths: Sequence[int] | NDArray[np.int64],
    batch_size: int,
    rng: np.random.Generator,
    mixed: bool = True,
    unit: int = 1,
) -> list[Batch]:
    """Every sample once, in batches of like widths and random order.

    A batch of samples wider than :data:`linetune.core.image.MIN_WIDTH` has fewer of them, for the same area.
    A step then costs the same memory and sees about as many characters, however long the lines are.

    Args:
        widths: padded width of each sample: px, or frames of features.
        batch_size: samples a batch.
        rng: draws the order.
        mixed: fill a width's last batch with wider samples, so that only one of an epoch is smaller;
            otherwise every batch has samples of one width alone, and the last of each width may be smaller.
        unit: px that a width of 1 stands for.
    """
    needed = np.asarray(widths)
    order = rng.permutation(len(needed))
    batches, rest = [], order[:0]
    for width in np.unique(needed):
        members = np.concatenate((rest, order[needed[order] == width]))
        size = fitting(batch_size, int(width) * unit)
        whole = len(members) if not mixed else len(members) // size * size
        batches += [Batch(members[i : i + size], int(width)) for i in range(0, whole, size)]
        rest = members[whole:]
    if len(rest):
        batches.append(Batch(rest, int(needed.max())))
    return [batches[i] for i in rng.permutation(len(batches))]


def bucket(width: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """The padded width for samples that need ``width`` px."""
    return np.asarray(WIDTHS[np.searchsorted(WIDTHS, width)])
