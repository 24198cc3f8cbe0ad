"""Whether bf16 pays on this CPU: a depthwise layer's gradients by oneDNN's kernels, and by ours.

    python benchmarks/depthwise.py

Prints milliseconds of forward and backward for the backbone's depthwise layers at batch 32 and width 160.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from linetune.models.layers.depthwise import DepthwiseConv

LAYERS = (
    (64, 24, 80, 3, (2, 1)),
    (128, 12, 80, 3, (1, 1)),
    (128, 12, 80, 3, (1, 2)),
    (240, 12, 40, 5, (1, 1)),
    (240, 12, 40, 5, (2, 1)),
    (480, 6, 40, 5, (1, 1)),
    (480, 3, 40, 5, (1, 1)),
)
"""(channels, height, width, kernel, stride)."""


def main() -> None:
    """Print the table."""
    print(f"{'layer':32} {'fp32':>8} {'bf16':>8} {'bf16, ours':>11}")
    for channels, height, width, kernel, stride in LAYERS:
        images = torch.randn(32, channels, height, width).contiguous(memory_format=torch.channels_last)
        plain = nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels)
        ours = DepthwiseConv(channels, channels, kernel, stride, kernel // 2, groups=channels)
        times = [_time(plain, images, torch.float32)]
        times += [_time(layer, images.bfloat16(), torch.bfloat16) for layer in (plain, ours)]
        name = f"{channels} x {height} x {width}, {kernel} x {kernel}, {stride}"
        print(f"{name:32} " + " ".join(f"{t:8.1f}" for t in times))


def _time(layer: nn.Module, images: Tensor, dtype: torch.dtype, repeats: int = 7) -> float:
    images.requires_grad_(True)

    def step() -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            out = layer(images)
        out.backward(torch.ones_like(out))

    return min(_milliseconds(step) for _ in range(repeats))


def _milliseconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


if __name__ == "__main__":
    main()
