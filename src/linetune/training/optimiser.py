"""AdamW with the parameter groups that this network wants, and its learning rate per step."""

from __future__ import annotations

import math
from typing import Any

import torch

from linetune.models.network import Network
from linetune.models.reparam import Affine

AFFINE_RATE = 0.1
"""Learning rate of the scalar affines relative to the rest (PaddleOCR's ``lab_lr``)."""
CLIP_NORM = 5.0
"""Largest gradient norm. Norms of thousands are common here, and one such step undoes many."""


def make_optimiser(network: Network, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over what trains; kernels decay, biases, norms and affines do not."""
    affine = {id(p) for m in network.modules() if isinstance(m, Affine) for p in m.parameters()}
    trained = [p for p in network.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": weight_decay, "rate": 1.0},
        {
            "params": [p for p in trained if p.ndim <= 1 and id(p) not in affine],
            "weight_decay": 0.0,
            "rate": 1.0,
        },
        {"params": [p for p in trained if id(p) in affine], "weight_decay": 0.0, "rate": AFFINE_RATE},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=0.0)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set every group's learning rate, each by its own factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["rate"]


def rate_at(step: int, steps: int, warmup: float, peak: float) -> float:
    """Linear warm-up over ``warmup`` steps, then a cosine that ends at 0 with the last of ``steps``."""
    if step < warmup:
        return peak * (step + 1) / (math.ceil(warmup) + 1)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, steps - warmup)))
