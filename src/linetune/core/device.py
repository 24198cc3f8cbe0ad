"""The processor that computes: which one, in what precision, with how much memory, and the way there."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

import psutil
import torch
from torch import Tensor

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells a container its limits (cgroup v2)."""
CPU_PIECE = 16
"""Crops that go through a network together on a CPU. The tensors of more are too large for the heap, so that
memory is mapped and cleared anew for each of them; fewer gain nothing."""


def best_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def survive_forks() -> None:
    """From now on, forked processes compute with one thread.

    A fork copies no threads, and OpenMP would wait for ever for those that the parent had.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def best_precision(device: torch.device) -> torch.dtype:
    """bf16 where the processor has instructions for it, else fp32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Without the instructions, oneDNN emulates bf16 at a loss; benchmarks/depthwise.py tells.
        native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return torch.bfloat16 if native else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Mixed precision, or none for fp32."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def piece_size(device: torch.device, batch_size: int) -> int:
    """Crops of a batch that go through a network together."""
    return min(batch_size, CPU_PIECE) if device.type == "cpu" else batch_size


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device, without waiting for what the device still does."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def free_memory(device: torch.device) -> int:
    """Bytes that may still be allocated on a device."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = ((CGROUP / name).read_text() for name in ("memory.max", "memory.current"))
        return min(free, int(limit) - int(used))
    except (OSError, ValueError):  # no container, or one without a limit
        return free


def now(device: torch.device) -> float:
    """Seconds of a clock, once the device has done all it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
