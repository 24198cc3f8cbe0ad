"""A batch of crops as the network trains on it: converted, augmented, padded."""

from __future__ import annotations

import torch
from torch import Tensor

from linetune.augment.draws import Draws
from linetune.augment.geometry import resample
from linetune.augment.photometry import recolour
from linetune.config.schema import Augment


def make_batch(columns: Tensor, widths: Tensor, draws: Draws | None, augment: Augment, height: int) -> Tensor:
    """Network input of resized crops, augmented unless ``augment`` is off.

    Args:
        columns: uint8 of shape (batch, width, 48, 3), BGR, column by column.
        widths: (batch,) the crops' own widths, px; what lies beyond is padding.
        draws: the batch's random numbers; None when nothing is augmented.
        augment: the operations' probabilities.
        height: height of the result, px; its width scales with it.

    Returns:
        (batch, 3, height, width * height / 48) in [-1, 1], padding 0, channels last.
    """
    images = columns.permute(0, 3, 2, 1).to(torch.float32, memory_format=torch.channels_last) / 127.5 - 1
    if draws is not None and not augment.is_off:
        images, widths = resample(images, widths, draws, augment, height)
        images = recolour(images, draws, augment)
    # Padding is what deployment pads with, whatever happened to the crop.
    inside = torch.arange(images.shape[3], device=images.device) < widths[:, None]
    return (images * inside[:, None, None, :]).contiguous(memory_format=torch.channels_last)
