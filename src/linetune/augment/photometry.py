"""Photometric operations: blur, brightness and contrast, colours, noise, and the negative image."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from linetune.augment.draws import Draws
from linetune.config.schema import Augment

BLUR_SIGMA = (0.3, 1.5)
NOISE_SIGMA = 20 / 127.5
CONTRAST = 0.5
BRIGHTNESS = 0.35
TINT = 0.08
ORDERS = tuple(permutations(range(3)))
"""Orders of the colour channels. A text does not depend on its colours."""


def recolour(images: Tensor, draws: Draws, augment: Augment) -> Tensor:
    """Apply the photometric operations to images (batch, 3, height, width) in [-1, 1]."""
    if augment.blur:
        images = _blur(images, draws.gate("blur", augment.blur), draws.parameters("blur")[:, 0])
    if augment.brightness:
        gate = draws.gate("brightness", augment.brightness).view(-1, 1, 1, 1)
        contrast, brightness, tint = (
            2 * c.view(-1, 1, 1, 1) - 1 for c in draws.parameters("brightness").unbind(1)
        )
        colours = torch.tensor([1.0, 0.0, -1.0], device=images.device).view(1, 3, 1, 1)
        changed = images * (1 + CONTRAST * contrast) + BRIGHTNESS * brightness + TINT * tint * colours
        images = torch.where(gate, changed, images)
    if augment.colours:
        gate = draws.gate("colours", augment.colours).view(-1, 1, 1, 1)
        order, drain = draws.parameters("colours").unbind(1)
        swapped = torch.tensor(ORDERS, device=images.device)[(order * len(ORDERS)).long()]
        changed = images.gather(1, swapped[:, :, None, None].expand_as(images))
        changed = changed.lerp(changed.mean(1, keepdim=True), drain.view(-1, 1, 1, 1))
        images = torch.where(gate, changed, images)
    if augment.noise:
        gate = draws.gate("noise", augment.noise)
        strength, offset = draws.parameters("noise").unbind(1)
        images = images + (gate * strength * NOISE_SIGMA).view(-1, 1, 1, 1) * _noise(images, offset)
    if augment.invert:
        gate = draws.gate("invert", augment.invert).view(-1, 1, 1, 1)
        images = torch.where(gate, -images, images)
    return images.clamp(-1, 1)


def _blur(images: Tensor, gate: Tensor, amount: Tensor) -> Tensor:
    """Blur with a 7-tap separable Gaussian. Each crop has its own sigma."""
    low, high = BLUR_SIGMA
    sigma = (low + (high - low) * amount).view(-1, 1)
    taps = torch.exp(-(torch.arange(-3, 4, device=images.device) ** 2) / (2 * sigma**2))
    taps = torch.where(
        gate.view(-1, 1), taps / taps.sum(1, keepdim=True), F.one_hot(torch.tensor(3), 7).to(taps)
    )
    batch, channels, height, width = images.shape
    kernel = taps.repeat_interleave(channels, 0)
    flat = images.reshape(1, batch * channels, height, width)
    flat = F.conv2d(F.pad(flat, (3, 3, 0, 0), "replicate"), kernel[:, None, None, :], groups=batch * channels)
    flat = F.conv2d(F.pad(flat, (0, 0, 3, 3), "replicate"), kernel[:, None, :, None], groups=batch * channels)
    return flat.view(batch, channels, height, width)


def _noise(like: Tensor, offset: Tensor) -> Tensor:
    """Return standard normal noise from one fixed strip. Each crop has its own place in it.

    New numbers for every pixel would differ between devices, and take longer than the training step.
    """
    size = like[0].numel()
    strip = _strip(str(like.device))
    starts = (offset.double() * (len(strip) - size)).long()
    # Every part of the strip is a row, and only the chosen rows are copied.
    return strip.unfold(0, size, 1)[starts].view_as(like)


@lru_cache(maxsize=2)
def _strip(device: str) -> Tensor:
    values = np.random.Generator(np.random.Philox(0)).standard_normal(1 << 21, np.float32)
    return torch.from_numpy(values).to(device)
