"""A depthwise convolution that trains fast in bf16 on a CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DepthwiseConv(nn.Conv2d):
    """``nn.Conv2d`` with one group for each channel. The function, the gradients and the state are the same.

    oneDNN's bf16 kernels for two of its gradients are 5 to 20 times slower than comparable ones
    (benchmarks/depthwise.py). This alone makes bf16 training on a CPU slower than fp32. On a CPU in bf16,
    both gradients are therefore computed in another way.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and torch.is_grad_enabled() and _in_bf16():
            weight, bias = self.weight.bfloat16(), None if self.bias is None else self.bias.bfloat16()
            out: Tensor = _Depthwise.apply(  # type: ignore[no-untyped-call]
                x.bfloat16(), weight, bias, self.stride, self.padding
            )
            return out
        return super().forward(x)


def _in_bf16() -> bool:
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, bias, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        of_input = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            # With a stride, fp32 is faster.
            exact = gradient.dtype if max(ctx.stride) == 1 else torch.float32
            of_input = _gradients(gradient.to(exact), x, weight.to(exact), ctx.stride, ctx.padding, 0)
            of_input = of_input.to(gradient.dtype)
        if ctx.needs_input_grad[1]:
            of_weight = _kernel_gradient(gradient, x, weight, ctx.stride, ctx.padding)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum((0, 2, 3))
        return of_input, of_weight, of_bias, None, None


def _kernel_gradient(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Compute kernels wider than 3 in overlapping windows of 3 columns, each with the fast routine."""
    width = weight.shape[3]
    if width <= 3:
        return _gradients(gradient, x, weight, stride, padding, 1)
    above, beside = padding
    x = F.pad(x, (beside, beside, above, above))
    out = torch.empty_like(weight)
    for start in (*range(0, width - 3, 2), width - 3):
        window = x[..., start : x.shape[3] - (width - 3 - start)]
        columns = slice(start, start + 3)
        out[..., columns] = _gradients(gradient, window, weight[..., columns], stride, (0, 0), 1)
    return out


def _gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int], which: int
) -> Tensor:
    """Return the convolution's gradient for its input (0) or its kernel (1)."""
    mask = [which == 0, which == 1, False]
    outputs = torch.ops.aten.convolution_backward(
        gradient, x.to(gradient.dtype) if which else x, weight, None, list(stride), list(padding), [1, 1],
        False, [0, 0], len(weight), mask,
    )  # fmt: skip
    return outputs[which]
