"""Random changes to batches of crops: geometry, colours, blur and noise, on the device of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from linetune.augment.draws import Draws
from linetune.augment.geometry import change_geometry
from linetune.augment.photometry import change_photometry
from linetune.config.schema import Augment


def make_batch(columns: Tensor, widths: Tensor, draws: Draws | None, augment: Augment, height: int) -> Tensor:
    """Convert resized crops to network input: augmented, scaled to ``height`` and padded.

    Args:
        columns: crops, uint8 of shape (batch, width, 48, 3), BGR. One row is one column of pixels.
        widths: width of each crop in px, shape (batch,). The pixels to the right of it are padding.
        draws: the random numbers of the batch. None, or an ``augment`` that is off, changes nothing.
        augment: the probability of each operation.
        height: height of the result in px. 48 if nothing is augmented.

    Returns:
        float32 of shape (batch, 3, height, width * height / 48) in [-1, 1]. Padding is 0. The memory
        format is channels last.
    """
    images = columns.permute(0, 3, 2, 1).to(torch.float32, memory_format=torch.channels_last) / 127.5 - 1
    if draws is not None and not augment.is_off:
        images, widths = change_geometry(images, widths, draws, augment, height)
        images = change_photometry(images, draws, augment)
    # Operations change the padding too, but a deployed reader always pads with 0.
    inside = torch.arange(images.shape[3], device=images.device) < widths[:, None]
    return (images * inside[:, None, None, :]).contiguous(memory_format=torch.channels_last)
