"""The way back: a folded network in the branches that it was trained in, computing the same.

Programs that know a network only with its branches are given one that carries the folded kernel and others
that give zero. Folding the result gives the very same weights again.
"""

from __future__ import annotations

import torch
from torch import nn

from linetune.models.network import Network
from linetune.models.reparam import Affine, ConvBN, FoldedRepLayer, RepDepthwise, RepLayer


def unfold(network: Network) -> Network:
    """A copy of a folded network, on the CPU, with branches, batch norms and affines.

    The original is untouched. The NRTR guide stays behind.
    """
    unfolded = Network(network.architecture, network.classes).eval()
    parts = dict(network.named_modules())
    placed = set[str]()
    with torch.no_grad():
        for name, module in unfolded.named_modules():
            if isinstance(module, RepLayer):
                layer = parts[name]
                assert isinstance(layer, FoldedRepLayer)
                _spread(layer, module)
            elif isinstance(module, RepDepthwise):
                conv = parts[name]
                assert isinstance(conv, nn.Conv2d)
                _carry(conv, module.branch)
                module.branch_1x1.weight.fill_(-1)  # against the input itself
                _neutral(module.bn)
            elif isinstance(module, ConvBN) and not name.startswith(tuple(placed)):
                conv = parts[name]
                assert isinstance(conv, nn.Conv2d)
                _carry(conv, module)
            else:
                continue
            placed.add(f"{name}.")
        rest = unfolded.state_dict()
        folded = network.state_dict()
        for name in rest.keys() & folded.keys():
            rest[name].copy_(folded[name])
        last = parts.get("backbone.affine")
        if isinstance(last, Affine):
            # It stands behind the pooling, through which it goes unchanged.
            _last_layer(unfolded).post_affine.load_state_dict(last.state_dict())
    return unfolded


def _last_layer(network: Network) -> RepLayer:
    return [module for module in network.backbone.modules() if isinstance(module, RepLayer)][-1]


def _spread(layer: FoldedRepLayer, into: RepLayer) -> None:
    """The first branch carries everything, the others give zero, and so does every batch norm's shift."""
    first, *others = into.branches
    assert isinstance(first, ConvBN)
    _carry(layer.conv, first)
    for branch in (*others, into.branch_1x1):
        if isinstance(branch, ConvBN):
            branch.conv.weight.zero_()
            _neutral(branch.bn)
    if into.identity is not None:
        _neutral(into.identity)
        into.identity.weight.zero_()
    # The affines start as ones that change nothing.
    if layer.shift is not None:
        into.post_affine.bias.copy_(layer.shift)


def _carry(conv: nn.Conv2d, into: ConvBN) -> None:
    into.conv.weight.copy_(conv.weight)
    _neutral(into.bn)
    if conv.bias is not None:
        into.bn.bias.copy_(conv.bias)


def _neutral(bn: nn.BatchNorm2d) -> None:
    """A batch norm that changes nothing in evaluation mode: its divisor is 1, eps included."""
    bn.reset_parameters()
    assert bn.running_var is not None
    bn.running_var.fill_(1 - bn.eps)
