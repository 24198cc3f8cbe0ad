"""Several processes that do one run together: which one this is, and how they share work.

``torchrun`` starts the processes and tells each its number. Every process has all data. Each does its share
of the work, and gets the results of the others. Without ``torchrun``, one process does everything.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from linetune.core.errors import LinetuneError

if TYPE_CHECKING:
    from torch import Tensor

S = TypeVar("S")
T = TypeVar("T")


@contextmanager
def joined() -> Iterator[None]:
    """Connect the processes that ``torchrun`` started, until the block ends or :func:`leave` is called.

    They exchange tensors by gloo on CPUs and by nccl on GPUs. Process n of a machine gets its GPU number n.

    Raises:
        LinetuneError: they cannot connect.
    """
    if not _several() or size() > 1:
        yield
        return
    import torch
    from torch import distributed

    gpus = torch.cuda.is_available()
    if gpus:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    try:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
    except (ValueError, RuntimeError) as error:
        what = f"the processes cannot connect ({str(error).splitlines()[0]})"
        hint = "start them with torchrun, or unset WORLD_SIZE"
        raise LinetuneError(what, "torch.distributed", hint) from None
    try:
        yield
    finally:
        leave()


def _several() -> bool:
    return int(os.environ.get("WORLD_SIZE") or 1) > 1


def leave() -> None:
    """Disconnect this process. From now on it does everything alone."""
    if group := _group():
        group.destroy_process_group()


def _group() -> Any:
    """Return torch.distributed if processes are connected, else None."""
    # Reading crops needs no torch. Therefore it is not imported here.
    distributed = sys.modules.get("torch.distributed")
    connected = distributed is not None and distributed.is_available() and distributed.is_initialized()
    return distributed if connected else None


@contextmanager
def _together() -> Iterator[None]:
    """Report that another process has ended, instead of the error of the library that connects them.

    Raises:
        LinetuneError: another process has ended.
    """
    try:
        yield
    except RuntimeError:
        raise LinetuneError(
            "another process of this run has ended", hint="its own message says why"
        ) from None


def size() -> int:
    """Return the number of processes."""
    group = _group()
    return int(group.get_world_size()) if group else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    group = _group()
    return int(group.get_rank()) if group else 0


def is_first() -> bool:
    """Return whether this process writes files and reports for all of them, also after :func:`leave`."""
    return not _several() or int(os.environ.get("RANK") or 0) == 0


def wait() -> None:
    """Wait until all processes are here."""
    everywhere(None)


def own() -> slice:
    """Return which of some items are this process's share. Each item is in one share."""
    return slice(rank(), None, size())


def from_first(value: T) -> T:
    """Return the value that the first process has, such as a measured time."""
    group = _group()
    if not group:
        return value
    values = [value]
    with _together():
        group.broadcast_object_list(values, src=0)
    return values[0]


def in_turns(mine: Iterator[T], count: int) -> Iterator[T]:
    """Yield the results for ``count`` items in their order. All processes get all results.

    Args:
        mine: the results for the share of this process.
        count: the number of all items.
    """
    group, processes = _group(), size()
    if not group:
        yield from mine
        return
    for start in range(0, count, processes):
        results: list[Any] = [None] * processes
        result = next(mine) if start + rank() < count else None
        with _together():
            group.all_gather_object(results, result)
        yield from results[: count - start]


def everywhere(value: T) -> list[T]:
    """Return the values that all processes have, by their numbers."""
    return list(in_turns(iter([value]), size()))


def shared(work: Callable[[S], T], items: Sequence[S]) -> Iterator[T]:
    """Yield the result of ``work`` for each item in order. Each process does its share of the work."""
    return in_turns(map(work, items[own()]), len(items))


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its sum over all processes. All tensors have one type and one device."""
    group = _group()
    if not group:
        return
    import torch

    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with _together():
        group.all_reduce(flat)
    parts = torch.split(flat, [tensor.numel() for tensor in tensors])
    for tensor, total in zip(tensors, parts, strict=True):
        tensor.copy_(total.view_as(tensor))
