"""Adam with a learning rate for each tensor that is proportional to the tensor's size.

Folding multiplies batch-norm statistics and affines into the kernels. In the official weights, the root mean
square of a tensor is therefore between 0.002 and 50. One rate for all tensors changes some by a fifth of
their size in one step, and others not at all. The rate of a tensor is proportional to its root mean square at
the start of the stage, as in Adafactor's relative steps (arXiv 1804.04235). docs/log.md has the comparison.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from linetune.models.layers.reparam import Affine
from linetune.models.network import Network

REFERENCE = 0.1
"""Root mean square of a tensor that gets exactly the configured rate: that of the official CTC layer."""
SMALLEST = 0.01
"""Least root mean square. Smaller tensors count as this size, so that new zeros move too."""
VECTOR_RATE = 0.1
"""Rate of biases, norms and affines relative to kernels (PaddleOCR's ``lab_lr`` for affines)."""
CLIP_NORM = 5.0
"""Largest gradient norm. Norms of thousands are common here, and one such step undoes many others."""


def rate_factors(network: Network) -> dict[str, float]:
    """Return the factor on the learning rate of each trainable parameter, by name.

    Factors are rounded to a power of the square root of 2, so that parameters share groups of the optimiser.
    A group costs a few launches on a GPU, and each parameter would be a group of its own.
    """
    factors = {}
    for prefix, module in network.named_modules():
        for name, parameter in module.named_parameters(prefix, recurse=False):
            if parameter.requires_grad:
                factors[name] = 2 ** (round(2 * math.log2(_relative_rate(module, parameter))) / 2)
    return factors


def make_optimiser(network: Network, factors: Mapping[str, float]) -> torch.optim.Adam:
    """Return Adam over the parameters that have a factor, with one group for each factor."""
    groups = dict[float, list[nn.Parameter]]()
    for name, factor in factors.items():
        groups.setdefault(factor, []).append(network.get_parameter(name))
    settings = [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]
    return torch.optim.Adam(settings, lr=0.0, fused=True)


def _relative_rate(module: nn.Module, parameter: nn.Parameter) -> float:
    # The bias of an affine is near 0. What it is added to has the size of the scale.
    sized = module.scale if isinstance(module, Affine) else parameter
    size = float(sized.detach().square().mean().sqrt())
    # Damaged weights are not finite. The loss shows them, and its error says what to do.
    size = max(size, SMALLEST) if math.isfinite(size) else SMALLEST
    return size / REFERENCE * (1.0 if parameter.ndim > 1 else VECTOR_RATE)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group to its factor times ``rate``."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]
