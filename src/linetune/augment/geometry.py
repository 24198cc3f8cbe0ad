"""Half-turn, crop, clip, warp and change of height. All of them together resample an image only once."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from linetune.augment.draws import Draws
from linetune.config.schema import Augment

MAX_CROP = 8 / 48
"""Largest cut at the top or the bottom, as a share of the height (PaddleOCR: 8 px)."""
MAX_CLIP = 6 / 48
"""Largest cut at the left or the right, as a share of the height: about a quarter of a character."""
MAX_CLIP_OF_WIDTH = 0.25
"""Largest cut at the left or the right, as a share of the width. It limits crops of one character."""
MAX_ROTATION = math.radians(4)
"""Largest rotation of a crop up to four times as wide as high, in radians. Longer crops rotate less."""
MAX_SLANT = 0.25
"""Largest shear, px to the side for each px up or down."""
MAX_ZOOM = 0.12
"""Largest change of size, as a share of the size."""
MAX_SHIFT = 0.08
"""Largest shift along the line, as a share of half the height."""
MAX_BEND = 0.11
"""Largest displacement of the warp's control points, as a share of the height."""
CONTROL_POINTS = (2, 6)
"""Rows and columns of the warp's control points. Bicubic interpolation between them bends the line."""


def change_geometry(
    images: Tensor, widths: Tensor, draws: Draws, augment: Augment, height: int
) -> tuple[Tensor, Tensor]:
    """Apply all geometric operations to a batch.

    Args:
        images: float32 of shape (batch, 3, 48, width) in [-1, 1].
        widths: width of each crop in px, shape (batch,). The pixels to the right of it are padding.
        draws: the random numbers of the batch.
        augment: the probability of each operation.
        height: height of the result in px. Widths scale with it.

    Returns:
        Images of shape (batch, 3, height, width * height / 48), and the new width of each crop. What lies
        to the right of a crop is not 0 yet.
    """
    batch, _, old_height, old_width = images.shape
    width = round(old_width * height / old_height)
    own = widths.to(images).view(-1, 1, 1)
    new_own = (own * height / old_height).ceil()
    # Centres of the new pixels. From -1 to 1 they cover the crop itself, without its padding.
    y = ((torch.arange(height, device=images.device) + 0.5) / height * 2 - 1).view(1, -1, 1)
    x = (torch.arange(width, device=images.device) + 0.5) / new_own * 2 - 1
    y, x = y.expand(batch, height, width), x.expand(batch, height, width)

    (turn,) = draws.of("half_turn", augment.half_turn, 3)
    x, y = torch.where(turn, -x, x), torch.where(turn, -y, y)
    if augment.warp:
        gate, *parameters = draws.of("warp", augment.warp, 3)
        dx, dy = _warp(x, y, own / old_height, 2 * torch.stack(parameters) - 1)
        x, y = x + gate * dx, y + gate * dy
    amount, side = _cut(draws, "crop", augment.crop)
    cut = amount * MAX_CROP
    y = y * (1 - cut) + side * cut
    amount, side = _cut(draws, "clip", augment.clip)
    cut = (amount * MAX_CLIP * old_height / own).clamp(max=MAX_CLIP_OF_WIDTH)
    x = x * (1 - cut) + side * cut

    # Places outside a crop take the pixel at its edge, never the padding.
    pixel_x = (((x + 1) * own - 1) / 2).clamp(torch.zeros_like(own), own - 1)
    pixel_y = (((y + 1) * old_height - 1) / 2).clamp(0, old_height - 1)
    grid = torch.stack((pixel_x / (old_width - 1) * 2 - 1, pixel_y / (old_height - 1) * 2 - 1), 3)
    out = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return out, new_own.view(-1).to(widths.dtype)


def _cut(draws: Draws, operation: str, probability: float) -> tuple[Tensor, Tensor]:
    """Return how much each crop loses, from 0 to 1, and where: 1 cuts the top or left, -1 the other side."""
    gate, side, amount = draws.of(operation, probability, 3)
    return gate * amount, torch.where(side < 0.5, 1.0, -1.0)


def _warp(x: Tensor, y: Tensor, aspect: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Return how far rotation, slant, zoom, shift and a smooth bend move each point.

    Args:
        x: places in the crop from -1 to 1, shape (batch, height, width).
        y: places in the crop from -1 to 1, of the same shape.
        aspect: width of each crop divided by its height, shape (batch, 1, 1).
        parameters: the random numbers of the warp from -1 to 1, shape (numbers, batch, 1, 1).
    """
    angle, slant, zoom, shift, strength = parameters[:5]
    # The same angle would move the ends of a long line out of the crop.
    angle = angle * MAX_ROTATION * (4 / aspect).clamp(max=1)
    dx = (slant * MAX_SLANT * y + shift * MAX_SHIFT) / aspect + zoom * MAX_ZOOM * x
    dy = angle * aspect * x + zoom * MAX_ZOOM * y
    rows, columns = CONTROL_POINTS
    control = parameters[5:, :, 0, 0].T.reshape(-1, 2, rows, columns) * MAX_BEND * 2
    bend = F.interpolate(control, (y.shape[1], x.shape[2]), mode="bicubic", align_corners=True)
    strength = (strength + 1) / 2
    return dx + strength * bend[:, 0] / aspect, dy + strength * bend[:, 1]
