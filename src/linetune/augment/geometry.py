"""Geometric operations: half-turn, crop, clip, warp and change of height, in one resampling."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from linetune.augment.draws import Draws
from linetune.config.schema import Augment

MAX_CROP = 8 / 48
"""Largest share of the height that a crop takes off the top or the bottom (PaddleOCR: 8 px)."""
MAX_CLIP = 6 / 48
"""Largest clip on the left or the right, relative to the height: a quarter of a character."""
ROTATION = math.radians(4)
SLANT = 0.25
ZOOM = 0.12
SHIFT = 0.08
BEND = 0.11
"""Largest displacement of the warp's control points, share of the height."""
CONTROL = (2, 6)
"""Control points of the smooth distortion: rows, columns."""


def resample(
    images: Tensor, widths: Tensor, draws: Draws, augment: Augment, height: int
) -> tuple[Tensor, Tensor]:
    """Resample a batch once through all geometric operations.

    Args:
        images: (batch, 3, 48, width) in [-1, 1]. Everything right of a crop's width is padding.
        widths: (batch,) the crops' own widths, px.
        draws: the random numbers of the batch.
        augment: the probabilities of the operations.
        height: height of the output, px. Widths scale with it.

    Returns:
        Images (batch, 3, height, width * height / 48), not yet padded with 0, and their widths.
    """
    batch, _, old_height, old_width = images.shape
    width = round(old_width * height / old_height)
    own = widths.to(images).view(-1, 1, 1)
    new_own = (own * height / old_height).ceil()
    # Coordinates of pixel centres, in [-1, 1] over each crop's own area.
    y = ((torch.arange(height, device=images.device) + 0.5) / height * 2 - 1).view(1, -1, 1)
    x = (torch.arange(width, device=images.device) + 0.5) / new_own * 2 - 1
    y, x = y.expand(batch, height, width), x.expand(batch, height, width)

    turn = draws.gate("half_turn", augment.half_turn).view(-1, 1, 1)
    x, y = torch.where(turn, -x, x), torch.where(turn, -y, y)

    gate = draws.gate("warp", augment.warp).view(-1, 1, 1)
    if augment.warp:
        dx, dy = _warp(x, y, own / old_height, draws)
        x, y = x + gate * dx, y + gate * dy

    gate = draws.gate("crop", augment.crop).view(-1, 1, 1)
    side, amount = (column.view(-1, 1, 1) for column in draws.parameters("crop").unbind(1))
    cut = gate * amount * MAX_CROP
    y = y * (1 - cut) + torch.where(side < 0.5, cut, -cut)

    gate = draws.gate("clip", augment.clip).view(-1, 1, 1)
    side, amount = (column.view(-1, 1, 1) for column in draws.parameters("clip").unbind(1))
    # At most a quarter of a crop that is as narrow as one character.
    cut = (gate * amount * MAX_CLIP * old_height / own).clamp(max=0.25)
    x = x * (1 - cut) + torch.where(side < 0.5, cut, -cut)

    # Back to pixels of the batch. The edge of a crop is repeated, so that padding never enters.
    pixel_x = (((x + 1) * own - 1) / 2).clamp(torch.zeros_like(own), own - 1)
    pixel_y = (((y + 1) * old_height - 1) / 2).clamp(0, old_height - 1)
    grid = torch.stack((pixel_x / (old_width - 1) * 2 - 1, pixel_y / (old_height - 1) * 2 - 1), 3)
    out = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=True)
    return out, new_own.view(-1).to(widths.dtype)


def _warp(x: Tensor, y: Tensor, aspect: Tensor, draws: Draws) -> tuple[Tensor, Tensor]:
    """Return the displacement by rotation, slant, zoom, shift and a smooth bend. x and y are in [-1, 1] for
    each crop."""
    parameters = draws.parameters("warp") * 2 - 1
    angle, slant, zoom, shift, strength = (column.view(-1, 1, 1) for column in parameters[:, :5].unbind(1))
    # Rotation moves the ends of a long line out of the crop. Longer lines are rotated less.
    angle = angle * ROTATION * (4 / aspect).clamp(max=1)
    dx = (slant * SLANT * y + shift * SHIFT) / aspect + zoom * ZOOM * x
    dy = angle * aspect * x + zoom * ZOOM * y
    rows, columns = CONTROL
    control = parameters[:, 5:].view(-1, 2, rows, columns) * BEND * 2
    bend = F.interpolate(control, (y.shape[1], x.shape[2]), mode="bicubic", align_corners=True)
    strength = (strength + 1) / 2
    return dx + strength * bend[:, 0] / aspect, dy + strength * bend[:, 1]
