"""Batches of similar widths and of bounded area, so that short lines do not cost as much as long ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linetune.core.image import MAX_WIDTH, MIN_WIDTH, fitting

WIDTHS = np.array(
    (64, 96, 128, 160, 192, 256, MIN_WIDTH, 384, 480, 576, 704, 864, 1056, 1312, 1600, 1952, 2400, MAX_WIDTH)
)
"""Padded widths of training batches, px. They are few, because each one costs memory. Above
:data:`MIN_WIDTH`, they are a fifth to a third apart, so that a long line is padded by a tenth on average."""
WIDE_SHARE = 0.1
"""Share of samples padded to the deployment width, so that the network knows this padding."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The samples of one step and their padded width, in the unit of the planned widths."""

    indices: NDArray[np.int64]
    width: int


def plan_epoch(
    widths: Sequence[int] | NDArray[np.int64],
    batch_size: int,
    rng: np.random.Generator,
    mixed: bool = True,
    unit: int = 1,
) -> list[Batch]:
    """Return batches of similar widths in random order. Each sample is in one batch.

    A batch of samples wider than :data:`linetune.core.image.MIN_WIDTH` has fewer of them, for the same area.
    A step then costs the same memory and sees about as many characters, however long the lines are.

    Args:
        widths: padded width of each sample, in px or in frames.
        batch_size: samples in a batch.
        rng: draws the order.
        mixed: fill the last batch of a width with wider samples. Only one batch of an epoch is then smaller.
            Otherwise every batch has samples of one width, and the last batch of each width may be smaller.
        unit: px of one unit of width.
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
    """Return the padded width for samples that need ``width`` px."""
    return np.asarray(WIDTHS[np.searchsorted(WIDTHS, width)])
