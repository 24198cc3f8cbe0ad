"""Batches for training: crops are converted, augmented and padded."""

from __future__ import annotations

import torch
from torch import Tensor

from linetune.augment.draws import Draws
from linetune.augment.geometry import resample
from linetune.augment.photometry import recolour
from linetune.config.schema import Augment


def make_batch(columns: Tensor, widths: Tensor, draws: Draws | None, augment: Augment, height: int) -> Tensor:
    """Return network input of resized crops, augmented unless ``augment`` is off.

    Args:
        columns: uint8 of shape (batch, width, 48, 3), BGR, column by column.
        widths: (batch,) the crops' own widths, px. Everything right of them is padding.
        draws: the random numbers of the batch. None without augmentation.
        augment: the probabilities of the operations.
        height: height of the result, px. Its width scales with it.

    Returns:
        (batch, 3, height, width * height / 48) in [-1, 1], padding 0, channels last.
    """
    images = columns.permute(0, 3, 2, 1).to(torch.float32, memory_format=torch.channels_last) / 127.5 - 1
    if draws is not None and not augment.is_off:
        images, widths = resample(images, widths, draws, augment, height)
        images = recolour(images, draws, augment)
    # Padding is the same as in deployment, whatever the operations did.
    inside = torch.arange(images.shape[3], device=images.device) < widths[:, None]
    return (images * inside[:, None, None, :]).contiguous(memory_format=torch.channels_last)
