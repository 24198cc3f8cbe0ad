"""Unfolding: from a folded network to one with branches that computes the same.

Programs that train or load PP-OCR recognisers need every branch of a layer. One branch gets the folded
kernel, and the others are zero. An affine that folding could not move past zero padding or a gate is again
behind the activation. Nothing changes at the borders.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from linetune.models.layers.reparam import (
    BN_EPS,
    ConvBN,
    FoldedRepLayer,
    HasAffines,
    RepDepthwise,
    RepLayer,
)
from linetune.models.network import Network

Moments = tuple[Tensor, Tensor]
"""Mean and variance (outputs,) of the output of a convolution, with its bias."""


def unfold(folded: Network, batches: Sequence[NDArray[np.float32]] = (), guide: bool = True) -> Network:
    """Return the unfolded network that computes what ``folded`` computes, on the CPU, in evaluation mode.

    Batch norms get the statistics of ``batches``. In training, they use those of each batch. Only if both
    agree does the first step start from the learned function. Without batches, batch norms change nothing.

    Args:
        folded: the folded network. It stays unchanged.
        batches: network inputs (batch, 3, 48, width).
        guide: copy the NRTR guide too, if there is one.
    """
    moments = _moments(folded, batches)
    network = Network(folded.architecture, folded.classes, guide=guide and folded.nrtr is not None).eval()
    state = {name: tensor.detach().float().cpu() for name, tensor in folded.state_dict().items()}
    shapes = {name: tensor.shape for name, tensor in network.state_dict().items()}
    # The kernel of a plain convolution has another name in an unfolded network.
    alike = {name: tensor for name, tensor in state.items() if shapes.get(name) == tensor.shape}
    network.load_state_dict(alike, strict=False)
    parts = dict(folded.named_modules())
    with torch.no_grad():
        for name, part in network.named_modules():
            if isinstance(part, RepLayer):
                layer = parts[name]
                assert isinstance(layer, FoldedRepLayer)
                _spread(part, layer, moments.get(f"{name}.conv"))
            elif isinstance(part, RepDepthwise):
                _carry(part.branch, parts[name], moments.get(name))
                part.branch_1x1.weight.fill_(-1)  # against the input itself
                _add(part.rep_bn, torch.zeros_like(part.rep_bn.bias), moments.get(name))
            elif isinstance(part, ConvBN) and isinstance(parts.get(name), nn.Conv2d):
                _carry(part, parts[name], moments.get(name))
            if isinstance(part, HasAffines):
                part.restore_affines(parts[name])
    return network


def _spread(part: RepLayer, layer: FoldedRepLayer, moments: Moments | None) -> None:
    """Give the folded kernel to the first branch, and zero to the others."""
    first, *others = part.branches
    assert isinstance(first, ConvBN)
    _carry(first, layer.conv, moments)
    for branch in (*others, part.branch_1x1):
        if isinstance(branch, ConvBN):
            branch.conv.weight.zero_()
            _neutral(branch.bn)
            branch.bn.weight.zero_()
    if part.identity is not None:
        _neutral(part.identity)
        part.identity.weight.zero_()
    if layer.shift is not None:
        part.post_affine.bias.copy_(layer.shift)


def _carry(part: ConvBN, conv: nn.Module, moments: Moments | None) -> None:
    """Write a convolution with bias as a convolution without bias and a batch norm of scale 1."""
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    part.conv.weight.copy_(conv.weight)
    _add(part.bn, conv.bias, moments)


def _add(bn: nn.BatchNorm2d, bias: Tensor, moments: Moments | None) -> None:
    """Make a batch norm add only ``bias`` in evaluation mode. ``moments`` are those of its output.

    Its weight has 11 significant bits. Its square is therefore exact. The scale then differs from 1 by less
    than half a step of float32, and the kernel before it folds back to the same bits.
    """
    if moments is None:
        _neutral(bn)
        bn.bias.copy_(bias)
        return
    mean, variance = moments
    deviation = torch.sqrt(variance + BN_EPS).half().clamp(min=2**-8).double()
    bn.weight.copy_(deviation)
    bn.running_var = (deviation**2 - BN_EPS).float()
    bn.bias.copy_(mean)
    bn.running_mean = (mean.float().double() - bias.double().cpu()).float()


def _neutral(bn: nn.BatchNorm2d) -> None:
    """Make a batch norm change nothing in evaluation mode. Its divisor with eps is 1."""
    bn.reset_parameters()
    assert bn.running_var is not None
    bn.running_var.fill_(1 - bn.eps)


def _moments(network: Network, batches: Sequence[NDArray[np.float32]]) -> dict[str, Moments]:
    """Return the moments in float64, by name, of every convolution before a batch norm."""
    sums: dict[str, list[Tensor]] = {}

    def add(name: str, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        values = output.detach().cpu().double().transpose(0, 1).flatten(1)
        count = torch.full((len(values),), values.shape[1])
        sums.setdefault(name, []).append(torch.stack((count, values.sum(1), (values**2).sum(1))))

    with ExitStack() as hooks:
        for name, part in network.named_modules():
            if isinstance(part, nn.Conv2d) and ".squeeze." not in name:
                hooks.callback(part.register_forward_hook(partial(add, name)).remove)
        for batch in batches:
            network.run(batch)
    moments = {}
    for name, parts in sums.items():
        count, total, squares = torch.stack(parts).sum(0)
        mean = total / count
        moments[name] = mean, (squares / count - mean**2).clamp(min=0)
    return moments
