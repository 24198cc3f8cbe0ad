"""PP-LCNetV3, the backbone of PP-OCRv4 and PP-OCRv5 mobile recognition."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from linetune.models.backbones.squeeze import SqueezeExcite
from linetune.models.reparam import ConvBN, FoldedRepLayer, MergedRepLayer, Pair, RepLayer


class BlockSpec(NamedTuple):
    """One block; channels before scaling."""

    kernel: int
    inputs: int
    outputs: int
    stride: Pair = (1, 1)
    squeeze: bool = False


STAGES: tuple[tuple[BlockSpec, ...], ...] = (
    (BlockSpec(3, 16, 32),),
    (BlockSpec(3, 32, 64), BlockSpec(3, 64, 64)),
    (BlockSpec(3, 64, 128, (2, 1)), BlockSpec(3, 128, 128)),
    (BlockSpec(3, 128, 256, (1, 2)), *(BlockSpec(5, 256, 256),) * 4),
    (
        BlockSpec(5, 256, 512, (2, 1), squeeze=True),
        BlockSpec(5, 512, 512, squeeze=True),
        BlockSpec(5, 512, 512, (2, 1)),
        BlockSpec(5, 512, 512),
    ),
)
"""PaddleOCR's recognition layout: height falls by 16, width by 4."""


class Block(nn.Module):
    """A depthwise rep layer, optional squeeze-and-excite, a pointwise rep layer."""

    def __init__(self, spec: BlockSpec, scale: float) -> None:
        super().__init__()
        inputs, outputs = rounded(spec.inputs * scale), rounded(spec.outputs * scale)
        self.depthwise: nn.Module = RepLayer(inputs, inputs, spec.kernel, spec.stride, groups=inputs)
        self.squeeze = SqueezeExcite(inputs) if spec.squeeze else None
        self.pointwise: nn.Module = RepLayer(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.depthwise(x)
        if self.squeeze is not None:
            x = self.squeeze(x)
        out: Tensor = self.pointwise(x)
        return out


class PPLCNetV3(nn.Module):
    """Images (batch, 3, height, width) to features (batch, channels, 1, width // 8).

    Args:
        scale: factor on all channel counts, which are then rounded to multiples of 16.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.stem = ConvBN(3, rounded(16 * scale), (3, 3), (2, 2))
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(spec, scale) for spec in stage)) for stage in STAGES
        )
        self.affine: nn.Module = nn.Identity()
        self.channels = rounded(512 * scale)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        # At height 48 this is PaddleOCR's 3x2 average pooling; the mean also serves other heights.
        out: Tensor = self.affine(F.avg_pool2d(x.mean(2, keepdim=True), (1, 2)))
        return out

    def absorb_affines(self) -> None:
        """Move every affine of the merged layers into the convolution behind it, in place."""
        blocks = [module for module in self.modules() if isinstance(module, Block)]
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            depthwise, pointwise = block.depthwise, block.pointwise
            assert isinstance(depthwise, MergedRepLayer)
            assert isinstance(pointwise, MergedRepLayer)
            if block.squeeze is not None:
                # The gate sees the affine's output too; it averages first, so that the scale moves on.
                block.squeeze.conv1.weight.mul_(depthwise.post_affine.scale)
            block.depthwise = depthwise.absorbed_by(pointwise.conv, shift=block.squeeze is not None)
            if following is not None:
                assert isinstance(following.depthwise, MergedRepLayer)
                block.pointwise = pointwise.absorbed_by(following.depthwise.conv, shift=True)
            else:  # behind the pooling, where it costs next to nothing
                self.affine = pointwise.post_affine
                block.pointwise = FoldedRepLayer(pointwise.conv)


def rounded(channels: float, divisor: int = 16) -> int:
    """Channels rounded to a multiple of ``divisor``, never by more than a tenth down (MobileNetV2)."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near if near >= 0.9 * channels else near + divisor
