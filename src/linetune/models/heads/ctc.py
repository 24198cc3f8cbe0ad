"""The CTC head: one linear layer from frames to classes."""

from __future__ import annotations

from torch import Tensor, nn


class CTCHead(nn.Module):
    """A sequence (batch, frames, inputs) to logits (batch, frames, classes), class 0 the blank."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x)
        return out
