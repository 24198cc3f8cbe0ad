"""Structural re-parameterisation: layers that train as several branches and run as one convolution.

:func:`merge` turns the branches of every layer into one convolution. :func:`fold` also moves the scalar
affines behind activations into the next convolution. Both are exact up to rounding, because every branch is
linear, and so is their sum (RepVGG, arXiv 2101.03697; PP-LCNetV3's rep layer adds the affines).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Protocol, TypeVar, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linetune.models.layers.depthwise import DepthwiseConv

Pair = tuple[int, int]
M = TypeVar("M", bound=nn.Module)

BN_EPS = 1e-5
"""What a batch norm adds to the variance, in Paddle and in torch."""


class Affine(nn.Module):
    """A learnable scale and bias, each one number for the whole tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.bias, self.scale, x)


class ConvBN(nn.Module):
    """A convolution without bias, then a batch norm. It folds to one convolution with bias.

    By default, the padding is half the kernel.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: Pair,
        stride: Pair = (1, 1),
        groups: int = 1,
        padding: Pair | None = None,
    ) -> None:
        super().__init__()
        padding = padding or (kernel[0] // 2, kernel[1] // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))

    def merged(self) -> nn.Conv2d:
        """Return the same function under the batch norm's running statistics."""
        return _convolution(self.conv, *_fold_bn(self.conv.weight, self.bn))


class RepLayer(nn.Module):
    """Parallel conv-BN branches, an affine, hard-swish, and a second affine (PP-LCNetV3).

    The branches are four k x k convolutions, a 1 x 1 convolution when k > 1, and a bare batch
    norm when input and output have one shape.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: Pair = (1, 1),
        groups: int = 1,
        branches: int = 4,
    ) -> None:
        super().__init__()
        same_shape = inputs == outputs and stride == (1, 1)
        self.identity = nn.BatchNorm2d(inputs) if same_shape else None
        self.branches = nn.ModuleList(
            ConvBN(inputs, outputs, (kernel, kernel), stride, groups) for _ in range(branches)
        )
        self.branch_1x1 = ConvBN(inputs, outputs, (1, 1), stride, groups) if kernel > 1 else None
        self.affine = Affine()
        self.post_affine = Affine()

    def forward(self, x: Tensor) -> Tensor:
        out = self.branches[0](x)
        for branch in self.branches[1:]:
            out = out + branch(x)
        if self.branch_1x1 is not None:
            out = out + self.branch_1x1(x)
        if self.identity is not None:
            out = out + self.identity(x)
        return self.post_affine(F.hardswish(self.affine(out)))

    def merged(self) -> MergedRepLayer:
        """Return all branches and the first affine as one convolution, under running statistics."""
        branches = [branch for branch in self.branches if isinstance(branch, ConvBN)]
        conv = branches[0].conv
        folded = [_fold_bn(branch.conv.weight, branch.bn) for branch in branches]
        if self.branch_1x1 is not None:
            kernel, bias = _fold_bn(self.branch_1x1.conv.weight, self.branch_1x1.bn)
            folded.append((F.pad(kernel, [conv.kernel_size[0] // 2] * 4), bias))
        if self.identity is not None:
            folded.append(_fold_bn(_identity_kernel(conv), self.identity))
        kernel, bias = (sum(parts[1:], parts[0]) for parts in zip(*folded, strict=True))
        scale, shift = self.affine.scale.double(), self.affine.bias.double()
        layer = MergedRepLayer(_convolution(conv, kernel * scale, bias * scale + shift))
        layer.post_affine = copy.deepcopy(self.post_affine)
        return layer


class RepDepthwise(nn.Module):
    """A depthwise conv-BN, a depthwise 1 x 1 and the input itself, summed; then a batch norm (PP-LCNetV4)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.branch = ConvBN(channels, channels, (kernel, kernel), groups=channels)
        self.branch_1x1 = nn.Conv2d(channels, channels, 1, groups=channels, bias=False)
        self.rep_bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.rep_bn(self.branch(x) + self.branch_1x1(x) + x)

    def merged(self) -> nn.Conv2d:
        """Return all of it as one convolution, under running statistics."""
        conv = self.branch.conv
        kernel, bias = _fold_bn(conv.weight, self.branch.bn)
        # Add first the two terms that can cancel each other. They then cancel to the last bit.
        centre = self.branch_1x1.weight.double() + 1
        kernel = kernel + F.pad(centre, [conv.kernel_size[0] // 2] * 4)
        weight, offset = _fold_bn(kernel, self.rep_bn)
        assert self.rep_bn.running_var is not None
        scale = self.rep_bn.weight.double() / torch.sqrt(self.rep_bn.running_var.double() + self.rep_bn.eps)
        return _convolution(conv, weight, bias * scale + offset)


class MergedRepLayer(nn.Module):
    """A rep layer of one branch: a convolution, hard-swish, and the affine after it."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv
        self.post_affine = Affine()

    def forward(self, x: Tensor) -> Tensor:
        return self.post_affine(F.hardswish(self.conv(x)))

    def absorbed_by(self, following: nn.Conv2d, *, shift: bool) -> FoldedRepLayer:
        """Return the layer without its affine, whose scale moves into the next convolution.

        Args:
            following: the next convolution, possibly behind linear operations. It is changed in place.
            shift: keep the bias of the affine as a constant behind the activation, because zero padding or a
                gate is between. Otherwise it moves into the bias of the next convolution.
        """
        scale, bias = self.post_affine.scale.double(), self.post_affine.bias.double()
        if not shift:
            assert following.bias is not None
            following.bias.add_((following.weight.double() * bias).sum((1, 2, 3)))
        following.weight.mul_(scale)
        return FoldedRepLayer(self.conv, (bias / scale).to(self.conv.weight.dtype) if shift else None)


class FoldedRepLayer(nn.Module):
    """A folded rep layer: one convolution, hard-swish, and possibly a constant.

    The constant is a buffer. Learnable scalars would cost a third of a training step, and the kernels can
    learn the same.
    """

    shift: Tensor | None

    def __init__(self, conv: nn.Conv2d, shift: Tensor | None = None) -> None:
        super().__init__()
        self.conv = conv
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        out = F.hardswish(self.conv(x))
        # In place, which the backward pass of hard-swish allows. It saves a pass over the memory.
        return out if self.shift is None else out.add_(self.shift.to(out.dtype))


def merge(module: M) -> M:
    """Return a copy of ``module`` in which every layer has one branch."""
    with torch.no_grad():
        # Without this, deepcopy would copy every branch first, which takes four times as long.
        merged = {id(layer): layer.merged() for layer in _layers(module)}
    return copy.deepcopy(module, merged)


def fold(module: M) -> M:
    """Return a copy of ``module``, merged and without affines."""
    module = merge(module)
    with torch.no_grad():
        for part in list(module.modules()):
            if isinstance(part, HasAffines):
                part.absorb_affines()
    return module


@runtime_checkable
class HasAffines(Protocol):
    """A chain of rep layers that knows their order."""

    def absorb_affines(self) -> None:
        """Move every affine of the merged layers into the convolution behind it, in place."""

    def restore_affines(self, folded: nn.Module) -> None:
        """Copy the affines that no convolution has absorbed from the folded form into this unfolded one."""


def _layers(module: nn.Module) -> Iterator[ConvBN | RepLayer | RepDepthwise]:
    """Yield the layers inside a module that can be merged."""
    for child in module.children():
        if isinstance(child, (ConvBN, RepLayer, RepDepthwise)):
            yield child
        else:
            yield from _layers(child)


def fold_batch_norm(
    weight: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor, eps: float = BN_EPS
) -> tuple[Tensor, Tensor]:
    """Return kernel and bias, in float64, of a convolution without bias and a batch norm in evaluation mode.

    Args:
        weight: the kernel (outputs, inputs, height, width).
        gamma: the norm's scale, and ``beta`` its bias, ``mean`` and ``variance`` its statistics (outputs,).
        eps: what the batch norm adds to the variance.
    """
    scale = gamma.double() / torch.sqrt(variance.double() + eps)
    return weight.double() * scale[:, None, None, None], beta.double() - mean.double() * scale


def _fold_bn(weight: Tensor, bn: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert bn.running_mean is not None
    assert bn.running_var is not None
    return fold_batch_norm(weight, bn.weight, bn.bias, bn.running_mean, bn.running_var, bn.eps)


def _identity_kernel(like: nn.Conv2d) -> Tensor:
    kernel = torch.zeros_like(like.weight)
    centre_y, centre_x = like.kernel_size[0] // 2, like.kernel_size[1] // 2
    channels = torch.arange(like.out_channels, device=kernel.device)
    kernel[channels, channels % kernel.shape[1], centre_y, centre_x] = 1
    return kernel


def _convolution(like: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """Return a convolution of the geometry of ``like`` with another kernel and bias."""
    padding = like.padding if not isinstance(like.padding, str) else (0, 0)
    kind = DepthwiseConv if like.groups == like.in_channels == like.out_channels else nn.Conv2d
    conv = kind(
        like.in_channels,
        like.out_channels,
        (like.kernel_size[0], like.kernel_size[1]),
        (like.stride[0], like.stride[1]),
        (padding[0], padding[1]),
        groups=like.groups,
        device="meta",
    )
    conv.weight = nn.Parameter(weight.to(like.weight.dtype))
    conv.bias = nn.Parameter(bias.to(like.weight.dtype))
    return conv
