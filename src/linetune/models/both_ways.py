"""Reading every crop as it stands and upside down, and keeping the reading that is surer."""

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
"""By so much must the turned crop be surer: one that reads alike either way stays as it is, and no runtime's
rounding decides."""


class BothWays(nn.Module):
    """Images (batch, 3, 48, width) to class probabilities (batch, frames, classes) of the surer way up.

    Made of what ONNX has as well, so that an exported file does the same in every reader. OpenCV 4 knows
    neither logical operators nor a negative step, hence the arithmetic below.

    Args:
        network: reads both ways, in one batch.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return surer(self.network(both_ways(images)).softmax(2))

    def run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return class probabilities of packed images, as :meth:`Network.run` gives them."""
        images = torch.from_numpy(batch).to(self.network.device, memory_format=torch.channels_last)
        # Each crop is two images: batches stay of the size that the device is quick with.
        pieces = torch.split(images, max(1, piece_size(images.device, 2 * len(images)) // 2))
        return np.concatenate([self.network.evaluated(self, piece) for piece in pieces])


def both_ways(images: Tensor) -> Tensor:
    """Return packed images (batch, 3, height, width), and after them each turned: (2 batch, ...)."""
    return torch.cat((images, turned(images)))


def surer(probabilities: Tensor) -> Tensor:
    """Return class probabilities of the surer way up, out of those (2 batch, frames, classes) of both."""
    upright, upside_down = probabilities.chunk(2)
    surer_turned = confidence(upside_down) > confidence(upright) + MARGIN
    turn = surer_turned.to(probabilities.dtype).view(-1, 1, 1)
    return upside_down * turn + upright * (1 - turn)


def turned(images: Tensor) -> Tensor:
    """Turn packed images (batch, 3, height, width) by half, each within its own width; padding stays right.

    Padding is exactly 0, which no grey level becomes: 127 and 128 lie beside it.
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
    best = best.float()  # more classes than half precision counts
    before = F.pad(best[:, :-1], (1, 0), value=-1)
    kept = ((best - BLANK).abs().clamp(max=1) * (best - before).abs().clamp(max=1)).to(peaks.dtype)
    return (peaks * kept).sum(1) / kept.sum(1).clamp(min=1)
