"""Parts that several backbones share: stems, squeeze-and-excite, and the pooling at the end."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linetune.models.layers.reparam import ConvBN, Pair


class BranchedStem(nn.Module):
    """A strided convolution, two small ones parallel to max pooling, and two more, all with ReLU.

    Args:
        inside: channels inside the stem.
        outputs: channels of its output.
        stride: stride of the last 3 x 3 convolution.
    """

    def __init__(self, inside: int, outputs: int, stride: Pair = (2, 2)) -> None:
        super().__init__()
        self.stem1: nn.Module = ConvBN(3, inside, (3, 3), (2, 2))
        self.stem2a: nn.Module = ConvBN(inside, inside // 2, (2, 2), padding=(0, 0))
        self.stem2b: nn.Module = ConvBN(inside // 2, inside, (2, 2), padding=(0, 0))
        self.stem3: nn.Module = ConvBN(2 * inside, inside, (3, 3), stride)
        self.stem4: nn.Module = ConvBN(inside, outputs, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        # An even kernel that keeps the size is padded below and on the right.
        x = F.pad(F.relu(self.stem1(x)), (0, 1, 0, 1))
        other = F.pad(F.relu(self.stem2a(x)), (0, 1, 0, 1))
        x = torch.cat((F.max_pool2d(x, 2, 1), F.relu(self.stem2b(other))), 1)
        return F.relu(self.stem4(F.relu(self.stem3(x))))


class PlainStem(nn.Module):
    """Two strided convolutions with a GELU between them."""

    def __init__(self, inside: int, outputs: int) -> None:
        super().__init__()
        self.conv1: nn.Module = ConvBN(3, inside, (3, 3), (2, 2))
        self.conv2: nn.Module = ConvBN(inside, outputs, (3, 3), (2, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(F.gelu(self.conv1(x)))


class SqueezeExcite(nn.Module):
    """Channel attention with ReLU and a hard sigmoid of slope 1/6 (arXiv 1709.01507)."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels // reduction, 1)
        self.conv2 = nn.Conv2d(channels // reduction, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = F.hardsigmoid(self.conv2(F.relu(self.conv1(x.mean((2, 3), keepdim=True)))))
        return x * gate


def pooled(x: Tensor) -> Tensor:
    """Return the mean over the height and over pairs of columns: (batch, channels, 1, width // 2).

    At height 48, this is PaddleOCR's 3 x 2 average pooling. The mean also works at other heights.
    """
    return F.avg_pool2d(x.mean(2, keepdim=True), (1, 2))
