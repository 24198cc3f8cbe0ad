"""PP-LCNetV4, the backbone of PP-OCRv6 recognition in three sizes."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from linetune.models.backbones.squeeze import SqueezeExcite
from linetune.models.backbones.stem import BranchedStem
from linetune.models.reparam import ConvBN, Pair, RepDepthwise

Size = Literal["tiny", "small", "medium"]


class BlockSpec(NamedTuple):
    """One block; all kernels are 3 x 3."""

    inputs: int
    outputs: int
    stride: Pair = (1, 1)
    squeeze: bool = False


class Layout(NamedTuple):
    """One size of the backbone."""

    stem: tuple[int, int]
    """Channels inside the stem and behind it."""
    branched: bool
    """Whether the stem has two paths."""
    stages: tuple[tuple[BlockSpec, ...], ...]


def _stage(inputs: int, outputs: int, stride: Pair, squeezed: str) -> tuple[BlockSpec, ...]:
    """Blocks of which only the first changes the shape; ``s`` marks those with squeeze-and-excite."""
    first, *others = (mark == "s" for mark in squeezed)
    return (
        BlockSpec(inputs, outputs, stride, first),
        *(BlockSpec(outputs, outputs, (1, 1), squeeze) for squeeze in others),
    )


LAYOUTS: dict[Size, Layout] = {
    "tiny": Layout(
        (24, 48),
        False,
        (
            _stage(48, 48, (1, 1), "s"),
            _stage(48, 48, (1, 1), "-"),
            _stage(48, 96, (2, 1), "-s-"),
            _stage(96, 160, (2, 1), "-s--"),
        ),
    ),
    "small": Layout(
        (48, 96),
        True,
        (
            _stage(96, 96, (1, 1), "s"),
            _stage(96, 96, (1, 1), "--"),
            _stage(96, 192, (2, 1), "-s-s-s-"),
            _stage(192, 384, (2, 1), "-s-"),
        ),
    ),
    "medium": Layout(
        (64, 128),
        True,
        (
            _stage(128, 128, (1, 1), "s"),
            _stage(128, 256, (1, 1), "--s"),
            _stage(256, 512, (2, 1), "-s-s-s-"),
            _stage(512, 768, (2, 1), "-s-"),
        ),
    ),
}
"""PaddleOCR's recognition layouts: the stem divides both sides by 4, the stages the height by 4 more."""


class PlainStem(nn.Module):
    """Two strided convolutions with a GELU between them."""

    def __init__(self, inside: int, outputs: int) -> None:
        super().__init__()
        self.conv1: nn.Module = ConvBN(3, inside, (3, 3), (2, 2))
        self.conv2: nn.Module = ConvBN(inside, outputs, (3, 3), (2, 2))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2(F.gelu(self.conv1(x)))
        return out


class Block(nn.Module):
    """A depthwise convolution, optional squeeze-and-excite, then two pointwise ones with a GELU between.

    Where the shape stays, the depthwise layer has branches, and the pointwise pair a shortcut beside it.
    """

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        inputs, outputs = spec.inputs, spec.outputs
        self.same_shape = inputs == outputs and spec.stride == (1, 1)
        self.depthwise: nn.Module = (
            RepDepthwise(inputs, 3)
            if self.same_shape
            else ConvBN(inputs, inputs, (3, 3), spec.stride, inputs)
        )
        self.squeeze = SqueezeExcite(inputs) if spec.squeeze else None
        self.expand: nn.Module = ConvBN(inputs, 2 * inputs, (1, 1))
        self.compress: nn.Module = ConvBN(2 * inputs, outputs, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)
        if self.squeeze is not None:
            x = self.squeeze(x)
        mixed: Tensor = self.compress(F.gelu(self.expand(x)))
        return x + mixed if self.same_shape else mixed


class PPLCNetV4(nn.Module):
    """Images (batch, 3, height, width) to features (batch, channels, 1, width // 8)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        layout = LAYOUTS[size]
        self.stem = (BranchedStem if layout.branched else PlainStem)(*layout.stem)
        self.stages = nn.ModuleList(nn.Sequential(*map(Block, stage)) for stage in layout.stages)
        self.channels = layout.stages[-1][-1].outputs

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        # At height 48 this is PaddleOCR's 3x2 average pooling; the mean also serves other heights.
        return F.avg_pool2d(x.mean(2, keepdim=True), (1, 2))
