"""Blur, brightness and contrast, colours, noise, and the negative image."""

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
"""Smallest and largest sigma of the Gaussian, px."""
MAX_NOISE = 20 / 127.5
"""Largest standard deviation of the noise: 20 grey levels."""
MAX_CONTRAST = 0.5
"""Largest change of contrast, as a share of it."""
MAX_BRIGHTNESS = 0.35
"""Largest shift of all values, which are in [-1, 1]."""
MAX_TINT = 0.08
"""Largest shift of blue against red."""
CHANNEL_ORDERS = tuple(permutations(range(3)))
"""The orders of the colour channels. A text stays the same in other colours."""


def change_photometry(images: Tensor, draws: Draws, augment: Augment) -> Tensor:
    """Apply all photometric operations to a batch.

    Args:
        images: float32 of shape (batch, 3, height, width) in [-1, 1], BGR.
        draws: the random numbers of the batch.
        augment: the probability of each operation.

    Returns:
        New values of the same shape in [-1, 1].
    """
    if augment.blur:
        images = _blur(images, *draws.of("blur", augment.blur, 2))
    if augment.brightness:
        gate, *shifts = draws.of("brightness", augment.brightness, 4)
        contrast, brightness, tint = (2 * shift - 1 for shift in shifts)
        channels = torch.tensor([1.0, 0.0, -1.0], device=images.device).view(1, 3, 1, 1)
        changed = images * (1 + MAX_CONTRAST * contrast)
        changed = changed + MAX_BRIGHTNESS * brightness + MAX_TINT * tint * channels
        images = torch.where(gate, changed, images)
    if augment.colours:
        gate, order, greyness = draws.of("colours", augment.colours, 4)
        chosen = (order.flatten() * len(CHANNEL_ORDERS)).long()
        orders = torch.tensor(CHANNEL_ORDERS, device=images.device)[chosen]
        changed = images.gather(1, orders[:, :, None, None].expand_as(images))
        changed = changed.lerp(changed.mean(1, keepdim=True), greyness)
        images = torch.where(gate, changed, images)
    if augment.noise:
        gate, strength, offset = draws.of("noise", augment.noise, 4)
        images = images + gate * strength * MAX_NOISE * _noise(images, offset.flatten())
    if augment.invert:
        images = torch.where(draws.of("invert", augment.invert, 4)[0], -images, images)
    return images.clamp(-1, 1)


def _blur(images: Tensor, gate: Tensor, amount: Tensor) -> Tensor:
    """Blur the chosen crops with a separable 7-tap Gaussian, each with its own sigma.

    Args:
        images: shape (batch, 3, height, width).
        gate: which crops to blur, bool of shape (batch, 1).
        amount: place of each sigma in :data:`BLUR_SIGMA` from 0 to 1, shape (batch, 1).
    """
    low, high = BLUR_SIGMA
    sigma = low + (high - low) * amount
    taps = torch.exp(-(torch.arange(-3, 4, device=images.device) ** 2) / (2 * sigma**2))
    unchanged = F.one_hot(torch.tensor(3), 7).to(taps)
    taps = torch.where(gate, taps / taps.sum(1, keepdim=True), unchanged)
    batch, channels, height, width = images.shape
    kernel = taps.repeat_interleave(channels, 0)
    flat = images.reshape(1, batch * channels, height, width)
    flat = F.conv2d(F.pad(flat, (3, 3, 0, 0), "replicate"), kernel[:, None, None, :], groups=batch * channels)
    flat = F.conv2d(F.pad(flat, (0, 0, 3, 3), "replicate"), kernel[:, None, :, None], groups=batch * channels)
    return flat.view(batch, channels, height, width)


def _noise(like: Tensor, offset: Tensor) -> Tensor:
    """Return standard normal noise of the shape of ``like``.

    Each crop takes a stretch of one fixed strip. ``offset`` in [0, 1) is the place where it starts. Fresh
    numbers would differ between devices, and drawing them would take longer than the training step.
    """
    size = like[0].numel()
    strip = _strip(str(like.device))
    starts = (offset.double() * (len(strip) - size)).long()
    # `unfold` is a view of all stretches. Only the chosen ones are copied.
    return strip.unfold(0, size, 1)[starts].view_as(like)


@lru_cache(maxsize=2)
def _strip(device: str) -> Tensor:
    values = np.random.Generator(np.random.Philox(0)).standard_normal(1 << 21, np.float32)
    return torch.from_numpy(values).to(device)
