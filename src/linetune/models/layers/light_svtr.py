"""The necks of PP-OCRv6: a light SVTR, and for the tiny size convolutions alone."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from linetune.models.architecture import Part
from linetune.models.layers.reparam import ConvBN
from linetune.models.layers.svtr import Block


class LightSVTRNeck(Part):
    """Features (batch, inputs, 1, frames) to a sequence (batch, frames, outputs).

    Before the attention blocks, every frame sees three neighbours on each side. A shortcut is added at the
    end.
    """

    def __init__(
        self, inputs: int, outputs: int, ratio: int, depth: int = 2, heads: int = 8, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.shortcut: nn.Module = ConvBN(inputs, outputs, (1, 1))
        self.reduce: nn.Module = ConvBN(inputs, outputs, (1, 1))
        self.local: nn.Module = ConvBN(outputs, outputs, (1, 7), groups=outputs)
        self.blocks = nn.ModuleList(Block(outputs, heads, ratio, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(outputs, eps=1e-6)
        self.channels = outputs

    def forward(self, x: Tensor) -> Tensor:
        shortcut = F.silu(self.shortcut(x))
        x = F.silu(self.reduce(x))
        x = x + F.silu(self.local(x))
        sequence = x.flatten(2).transpose(1, 2)
        for block in self.blocks:
            sequence = block(sequence)
        out: Tensor = self.norm(sequence) + shortcut.flatten(2).transpose(1, 2)
        return out


class ConvNeck(Part):
    """Features (batch, inputs, 1, frames) to a sequence (batch, frames, outputs), without attention."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1: nn.Module = ConvBN(inputs, inputs, (1, 5), groups=inputs)
        self.conv2: nn.Module = ConvBN(inputs, inputs, (1, 1))
        self.fc = nn.Linear(inputs, outputs)
        self.channels = outputs

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.conv2(F.hardswish(self.conv1(x))))
        out: Tensor = self.fc(x.flatten(2).transpose(1, 2))
        return out
