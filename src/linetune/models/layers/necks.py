"""Necks: SVTR with two attention blocks over the frames (arXiv 2205.00159), and the two necks of PP-OCRv6."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linetune.models.architecture import Part
from linetune.models.layers.dropout import attention, dropout
from linetune.models.layers.reparam import ConvBN

HIDDEN = 120
"""Channels of the attention blocks in the SVTR neck (PaddleOCR)."""


class Attention(nn.Module):
    """Multi-head self-attention over (batch, frames, channels)."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, channels = x.shape
        query, key, value = self.qkv(x).view(batch, frames, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = attention(query, key, value, self.dropout, self.training)
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, frames, channels))
        return dropout(out, self.dropout, self.training)


class MLP(nn.Module):
    """Two linear layers with swish between them."""

    def __init__(self, channels: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        x = dropout(F.silu(self.fc1(x)), self.dropout, self.training)
        return dropout(self.fc2(x), self.dropout, self.training)


class Block(nn.Module):
    """Pre-norm attention and MLP, each with a residual."""

    def __init__(self, channels: int, heads: int, ratio: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-5)
        self.mixer = Attention(channels, heads, dropout)
        self.norm2 = nn.LayerNorm(channels, eps=1e-5)
        self.mlp = MLP(channels, ratio * channels, dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.mixer(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class SVTRNeck(Part):
    """Features (batch, inputs, 1, frames) to a sequence (batch, frames, outputs)."""

    def __init__(self, inputs: int, outputs: int = 120) -> None:
        super().__init__()
        self.conv1 = ConvBN(inputs, inputs // 8, (1, 3))
        self.conv2 = ConvBN(inputs // 8, HIDDEN, (1, 1))
        self.blocks = nn.ModuleList(Block(HIDDEN, heads=8, ratio=2, dropout=0.1) for _ in range(2))
        self.norm = nn.LayerNorm(HIDDEN, eps=1e-6)
        self.conv3 = ConvBN(HIDDEN, inputs, (1, 1))
        self.conv4 = ConvBN(2 * inputs, inputs // 8, (1, 3))
        self.conv5 = ConvBN(inputs // 8, outputs, (1, 1))
        self.channels = outputs

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x
        x = F.silu(self.conv2(F.silu(self.conv1(x))))
        sequence = x.flatten(2).transpose(1, 2)
        for block in self.blocks:
            sequence = block(sequence)
        x = self.norm(sequence).transpose(1, 2).unsqueeze(2)
        x = torch.cat((shortcut, F.silu(self.conv3(x))), 1)
        x = F.silu(self.conv5(F.silu(self.conv4(x))))
        return x.squeeze(2).transpose(1, 2)


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
        return self.norm(sequence) + shortcut.flatten(2).transpose(1, 2)


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
        return self.fc(x.flatten(2).transpose(1, 2))
