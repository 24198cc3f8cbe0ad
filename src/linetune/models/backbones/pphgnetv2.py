"""PP-HGNetV2-B4, the backbone of PP-OCRv5 server recognition."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linetune.models.backbones.stem import BranchedStem
from linetune.models.reparam import ConvBN, Pair

STEM = (32, 48)
"""Channels inside the stem and behind it."""
LAYERS = 6
"""Convolutions in a block, whose outputs are all gathered."""


class StageSpec(NamedTuple):
    """One stage: a strided depthwise convolution and some blocks."""

    inputs: int
    inside: int
    outputs: int
    stride: Pair
    blocks: int = 1
    kernel: int = 3
    light: bool = False
    """Whether a block's convolutions are a pointwise and a depthwise one each."""


STAGES: tuple[StageSpec, ...] = (
    StageSpec(48, 48, 128, (2, 1)),
    StageSpec(128, 96, 512, (1, 2)),
    StageSpec(512, 192, 1024, (2, 1), blocks=3, kernel=5, light=True),
    StageSpec(1024, 384, 2048, (2, 1), kernel=5, light=True),
)
"""PaddleOCR's recognition layout: the stem halves both sides, the stages the height by 8, the width by 2."""


class LightConv(nn.Module):
    """A pointwise convolution, then a depthwise one; both normed, ReLU behind the second alone."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv1: nn.Module = ConvBN(inputs, outputs, (1, 1))
        self.conv2: nn.Module = ConvBN(outputs, outputs, (kernel, kernel), groups=outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(x))
        return out


class Block(nn.Module):
    """Convolutions one after the other; what goes in and all that comes out go into two pointwise ones.

    Args:
        spec: the stage's.
        first: whether it changes the channels; the others have a shortcut beside them.
    """

    def __init__(self, spec: StageSpec, first: bool) -> None:
        super().__init__()
        inputs = spec.inputs if first else spec.outputs
        self.shortcut = not first
        self.layers = nn.ModuleList(
            LightConv(before, after, spec.kernel)
            if spec.light
            else ConvBN(before, after, (spec.kernel, spec.kernel))
            for before, after in pairwise((inputs, *(spec.inside,) * LAYERS))
        )
        self.gather1: nn.Module = ConvBN(inputs + LAYERS * spec.inside, spec.outputs // 2, (1, 1))
        self.gather2: nn.Module = ConvBN(spec.outputs // 2, spec.outputs, (1, 1))

    def forward(self, x: Tensor) -> Tensor:
        outputs = [x]
        for layer in self.layers:
            outputs.append(F.relu(layer(outputs[-1])))
        gathered = F.relu(self.gather2(F.relu(self.gather1(torch.cat(outputs, 1)))))
        return x + gathered if self.shortcut else gathered


class Stage(nn.Module):
    """A strided depthwise convolution without activation, and blocks."""

    def __init__(self, spec: StageSpec) -> None:
        super().__init__()
        self.downsample: nn.Module = ConvBN(spec.inputs, spec.inputs, (3, 3), spec.stride, spec.inputs)
        self.blocks = nn.Sequential(*(Block(spec, number == 0) for number in range(spec.blocks)))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.blocks(self.downsample(x))
        return out


class PPHGNetV2(nn.Module):
    """Images (batch, 3, height, width) to features (batch, channels, 1, width // 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = BranchedStem(*STEM, stride=(1, 1))
        self.stages = nn.Sequential(*map(Stage, STAGES))
        self.channels = STAGES[-1].outputs

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages(self.stem(x))
        # At height 48 this is PaddleOCR's 3x2 average pooling; the mean also serves other heights.
        return F.avg_pool2d(x.mean(2, keepdim=True), (1, 2))
