"""The NRTR head: a transformer decoder that guides training. Reading does not use it (arXiv 1806.00926)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PAD, UNKNOWN, BEGIN, END = range(4)
"""Tokens before the characters, in PaddleOCR's order."""
FIRST_CHARACTER = 4


class MultiHeadAttention(nn.Module):
    """Attention of ``query`` over ``memory``, both (batch, length, channels)."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(channels, 2 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, query: Tensor, memory: Tensor, causal: bool = False) -> Tensor:
        batch, length, channels = query.shape
        q = self.q(query).view(batch, length, self.heads, -1).transpose(1, 2)
        k, v = self.kv(memory).view(batch, memory.shape[1], 2, self.heads, -1).permute(2, 0, 3, 1, 4)
        rate = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=causal)
        return self.proj(mixed.transpose(1, 2).reshape(batch, length, channels))


class DecoderBlock(nn.Module):
    """Causal self-attention, attention to the image, feed-forward. Each has a norm behind it."""

    def __init__(self, channels: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        # PaddleOCR has no dropout inside attention, only on the residual branches.
        self.self_attention = MultiHeadAttention(channels, heads, 0.0)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attention = MultiHeadAttention(channels, heads, 0.0)
        self.norm2 = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)
        self.norm3 = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        x = self.norm1(x + self.dropout(self.self_attention(x, x, causal=True)))
        x = self.norm2(x + self.dropout(self.cross_attention(x, memory)))
        return self.norm3(x + self.dropout(self.fc2(self.dropout(F.relu(self.fc1(x))))))


class NRTRHead(nn.Module):
    """Features and the text so far to logits of the next token.

    Args:
        inputs: channels of the backbone's features.
        characters: characters of the charset, without the blank.
    """

    def __init__(
        self, inputs: int, characters: int, channels: int = 384, depth: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.channels = channels
        # One token too many: PaddleOCR counts its end token twice.
        tokens = FIRST_CHARACTER + characters + 1
        self.before = nn.Linear(inputs, channels, bias=False)
        self.embedding = nn.Embedding(tokens, channels, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, 0, channels**-0.5)
        self.blocks = nn.ModuleList(
            DecoderBlock(channels, channels // 32, 4 * channels, dropout) for _ in range(depth)
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, tokens, bias=False)
        nn.init.normal_(self.classifier.weight, 0, channels**-0.5)

    def forward(self, features: Tensor, tokens: Tensor) -> Tensor:
        """Return logits (batch, length, tokens) for features (batch, inputs, 1, frames)."""
        memory = self.before(features.flatten(2).transpose(1, 2))
        x = self.embedding(tokens) * math.sqrt(self.channels)
        x = self.dropout(x + sinusoids(tokens.shape[1], self.channels).to(x))
        for block in self.blocks:
            x = block(x, memory)
        return self.classifier(x)


def sinusoids(length: int, channels: int) -> Tensor:
    """Return the positional encoding (length, channels) of arXiv 1706.03762."""
    position = torch.arange(length)[:, None]
    rate = torch.exp(torch.arange(0, channels, 2) * (-math.log(10000.0) / channels))
    angles = position * rate
    return torch.stack((angles.sin(), angles.cos()), 2).flatten(1)


def guide_tokens(labels: Sequence[Sequence[int]]) -> Tensor:
    """Return NRTR tokens (batch, longest + 2) of CTC labels, from begin to end and padded."""
    longest = max(map(len, labels)) + 2
    tokens = torch.full((len(labels), longest), PAD)
    for row, label in zip(tokens, labels, strict=True):
        # CTC class 1 is the first character.
        shifted = [c + FIRST_CHARACTER - 1 for c in label]
        row[: len(label) + 2] = torch.tensor([BEGIN, *shifted, END])
    return tokens
