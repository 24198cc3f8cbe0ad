"""Reading every crop both ways up: upright and upside down. The reading with the higher confidence counts."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from linetune.core.charset import BLANK
from linetune.core.device import piece_size
from linetune.models.network import Network

MARGIN = 0.01
"""Least difference of confidence for the reading upside down to count. A crop that reads the same both ways
up stays upright, and the rounding of a runtime does not decide."""


class BothWays(nn.Module):
    """Images (batch, 3, 48, width) to class probabilities (batch, frames, classes) of the better way up.

    It uses only operations of ONNX. An exported file therefore does the same in every reader. OpenCV 4
    has neither logical operators nor negative steps. Therefore there is arithmetic instead.

    Args:
        network: reads both ways up, in one batch.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return surer(self.network(both_ways(images)).softmax(2))

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return class probabilities of packed images, like :meth:`Network.run`."""
        images = torch.from_numpy(batch).to(self.network.device, memory_format=torch.channels_last)
        # Each crop is two images. Smaller batches keep the size with which the device is quick.
        pieces = torch.split(images, max(1, piece_size(images.device, 2 * len(images)) // 2))
        return np.concatenate([self.network.evaluated(self, piece) for piece in pieces])


def both_ways(images: Tensor) -> Tensor:
    """Return packed images (batch, 3, height, width) and then the same upside down: (2 batch, ...)."""
    return torch.cat((images, turned(images)))


def surer(probabilities: Tensor) -> Tensor:
    """Return the class probabilities of the better way up, from those of both (2 batch, frames, classes)."""
    upright, upside_down = probabilities.chunk(2)
    surer_turned = confidence(upside_down) > confidence(upright) + MARGIN
    turn = surer_turned.to(probabilities.dtype).view(-1, 1, 1)
    return upside_down * turn + upright * (1 - turn)


def turned(images: Tensor) -> Tensor:
    """Turn packed images (batch, 3, height, width) upside down, each within its own width. Padding stays on
    the right.

    Padding is exactly 0. No grey level becomes 0 in a packed image: 127 and 128 are the nearest.
    """
    inside = (images.abs().amax((1, 2)) > 0).to(images.dtype)
    widths = inside.sum(1, keepdim=True).long()
    columns = (widths - 1 - torch.arange(images.shape[3], device=images.device)).clamp(min=0)
    from_below = torch.tensor(range(int(images.shape[2]))[::-1], device=images.device)
    mirrored = images.index_select(2, from_below).gather(3, columns[:, None, None, :].expand_as(images))
    return mirrored * inside[:, None, None, :]


def confidence(probabilities: Tensor) -> Tensor:
    """Return PaddleOCR's score (batch,) of probabilities (batch, frames, classes); see ``decode.greedy``."""
    peaks, best = probabilities.max(2)
    best = best.float()  # half precision cannot count this many classes
    before = F.pad(best[:, :-1], (1, 0), value=-1)
    kept = ((best - BLANK).abs().clamp(max=1) * (best - before).abs().clamp(max=1)).to(peaks.dtype)
    return (peaks * kept).sum(1) / kept.sum(1).clamp(min=1)
