"""The device that computes: choose it and its precision, copy tensors to it, and ask for its free memory."""

from __future__ import annotations

import os
import sys
import time
from functools import cache
from pathlib import Path

import psutil
import torch
from torch import Tensor

from linetune.core.errors import LinetuneError

CGROUP = Path("/sys/fs/cgroup")
"""Folder in which Linux shows the limits of a container (cgroup v2)."""
MEMORY = "close other programs, or use a smaller charset"
"""The hint if memory is too small."""
CPU_PIECE = 16
"""Most crops in one forward pass on a CPU. With more, tensors are too large for the heap: the system maps and
clears new memory for each of them. Fewer crops are not faster."""


def best_device() -> torch.device:
    """Return the GPU, or the CPU on a machine without a GPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@cache
def survive_forks() -> None:
    """Let processes that are forked from now on compute with one thread.

    A fork does not copy threads, and OpenMP would wait forever for the threads of the parent process.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


def best_precision(device: torch.device) -> torch.dtype:
    """Return bf16 if the device has instructions for it, else fp32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Without these instructions, oneDNN emulates bf16 and is slower than fp32 (benchmarks/depthwise.py).
        native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return torch.bfloat16 if native else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Return the context of mixed precision in ``dtype``. For fp32, it does nothing."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def piece_size(device: torch.device, batch_size: int) -> int:
    """Return how many crops of a batch go through a network in one forward pass."""
    return min(batch_size, CPU_PIECE) if device.type == "cpu" else batch_size


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a copy of a CPU tensor on a device, without waiting for earlier work of the device."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def free_memory(device: torch.device) -> int:
    """Return the bytes that can still be allocated on a device."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + cached
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = ((CGROUP / name).read_text() for name in ("memory.max", "memory.current"))
        return min(free, int(limit) - int(used))
    except (OSError, ValueError):  # not in a container, or the container has no limit
        return free


def most_memory(device: torch.device) -> int:
    """Return the most bytes used at any time: of a GPU by this process, or else of the process.

    0 if the system does not say.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # on Windows
        return int(getattr(psutil.Process().memory_info(), "peak_wset", 0))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # POSIX names no unit


def out_of_memory(error: RuntimeError) -> bool:
    """Return whether torch raised an error because memory ran out."""
    # On a CPU it is a plain RuntimeError. These are the words of its two allocators.
    words = ("not enough memory", "can't allocate memory")
    return isinstance(error, torch.OutOfMemoryError) or any(part in str(error) for part in words)


def no_memory(where: str) -> LinetuneError:
    """Return the error for a stage that cannot even train on one crop at a time."""
    return LinetuneError("not enough memory to train on one crop at a time", where, MEMORY)


def now(device: torch.device) -> float:
    """Wait until the device has finished its work, then return the seconds of a clock."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
