"""Adam with a learning rate relative to each tensor's size, and its course over the steps.

Folding multiplies batch-norm statistics and affines into the kernels, so that their sizes differ
wildly: from a root mean square of 0.002 to one of 50 in the official weights. One rate for all moves
some by a fifth of their size in a step, and others not at all. The rate of a tensor is therefore
proportional to its root mean square at the start of the stage, as in Adafactor's relative steps
(arXiv 1804.04235); docs/log.md has the comparison.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from linetune.models.layers.reparam import Affine
from linetune.models.network import Network

REFERENCE = 0.1
"""Root mean square at which a tensor gets just the configured rate: that of the official CTC layer."""
SMALLEST = 0.01
"""Taken for smaller tensors, so that fresh zeros move too."""
VECTOR_RATE = 0.1
"""Rate of biases, norms and affines relative to kernels (PaddleOCR's ``lab_lr`` for affines)."""
CLIP_NORM = 5.0
"""Largest gradient norm. Norms of thousands are common here, and one such step undoes many."""


def make_optimiser(network: Network) -> torch.optim.Adam:
    """Adam over what trains, each tensor with its factor on the rate.

    Factors are rounded to a power of the square root of 2, so that tensors share groups: a group is a
    few launches on a GPU, and there would be one for every tensor.
    """
    groups = dict[float, list[nn.Parameter]]()
    for module in network.modules():
        for parameter in module.parameters(recurse=False):
            if parameter.requires_grad:
                exponent = round(2 * math.log2(_factor(module, parameter)))
                groups.setdefault(2 ** (exponent / 2), []).append(parameter)
    settings = [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]
    return torch.optim.Adam(settings, lr=0.0, fused=True)


def _factor(module: nn.Module, parameter: nn.Parameter) -> float:
    # An affine's bias is near 0 by nature; what it is added to has the size of the scale.
    sized = module.scale if isinstance(module, Affine) else parameter
    size = float(sized.detach().square().mean().sqrt())
    # Damaged weights show in the loss, whose error tells the way out.
    size = max(size, SMALLEST) if math.isfinite(size) else SMALLEST
    return size / REFERENCE * (1.0 if parameter.ndim > 1 else VECTOR_RATE)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set every tensor's learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]
