"""The averaged weights: what is validated, kept and exported."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from linetune.models.network import Network

DECAY = 0.995
"""Largest share of the old average that a step keeps. It makes the average remember about 200 steps."""
YOUNG = 3
"""A shorter training remembers one part in so many of its steps: a third (polynomial decay, arXiv
1212.1824)."""


class WeightAverage:
    """Exponential moving average of a network's weights (Polyak averaging, arXiv 1407.0202).

    The epochs of a small run differ by points because of noise alone. The best one is partly luck.
    Their average has less noise. The memory grows with the steps: a short training does not stay near its
    start.
    """

    def __init__(self, network: Network) -> None:
        self.network = copy.deepcopy(network)
        self._steps = 0

    @torch.no_grad()
    def update(self, network: Network) -> None:
        """Add the weights after one more step. Frozen weights stay bit-identical."""
        self._steps += 1
        decay = min(DECAY, (1 + self._steps) / (1 + YOUNG + self._steps))
        averaged: list[Tensor] = []
        current: list[Tensor] = []
        for mine, theirs in zip(self.network.parameters(), network.parameters(), strict=True):
            if theirs.requires_grad:
                averaged.append(mine)
                current.append(theirs)
        torch._foreach_lerp_(averaged, current, 1 - decay)
        for kept, now in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(now)

    def state_dict(self) -> dict[str, Any]:
        """Return what :meth:`load_state_dict` continues from. The tensors are not copied."""
        return {"network": self.network.state_dict(), "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from another average."""
        self.network.load_state_dict(state["network"])
        self._steps = state["steps"]
