"""A batch of crops as the network trains on it: packed, augmented, padded."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from linetune import image
from linetune.augment.draws import Draws
from linetune.augment.geometry import resample
from linetune.augment.photometry import recolour
from linetune.config.schema import Augment
from linetune.image import Crop


def make_batch(
    crops: Sequence[Crop],
    width: int,
    draws: Draws | None,
    augment: Augment,
    height: int,
    device: torch.device,
) -> Tensor:
    """Network input of resized crops, augmented unless ``augment`` is off.

    Args:
        crops: BGR uint8 of shape (48, w, 3), every w at most ``width``.
        width: padded width at height 48, px.
        draws: the batch's random numbers; None when nothing is augmented.
        augment: the operations' probabilities.
        height: height of the result, px; its width scales with it.
        device: where the batch is made.

    Returns:
        (batch, 3, height, width * height / 48) in [-1, 1], padding 0, channels last.
    """
    images = torch.from_numpy(image.pack(crops, width)).to(device)
    if draws is not None and not augment.is_off:
        widths = torch.tensor([crop.shape[1] for crop in crops], device=device)
        images, widths = resample(images, widths, draws, augment, height)
        images = recolour(images, draws, augment)
        # Padding stays what deployment pads with, whatever happened to the crop.
        inside = torch.arange(images.shape[3], device=device) < widths[:, None]
        images = images * inside[:, None, None, :]
    return images.contiguous(memory_format=torch.channels_last)
