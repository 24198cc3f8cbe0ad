"""Dropout whose masks do not depend on how a batch is divided among pieces and processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor

_division: ContextVar[tuple[int, Sequence[int]] | None] = ContextVar("division", default=None)


@contextmanager
def part_of_batch(total: int, rows: Sequence[int]) -> Iterator[None]:
    """Draw masks for a whole batch while the block runs, and use those of some rows.

    Args:
        total: rows of the whole batch.
        rows: the rows that go through the network now, in order.
    """
    token = _division.set((total, rows))
    try:
        yield
    finally:
        _division.reset(token)


def dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Return ``x`` (rows, ...) with a share of its values set to 0 and the others scaled up, in training."""
    if not training or not rate:
        return x
    total, rows = _division.get() or (len(x), range(len(x)))
    kept = torch.rand(total, *x.shape[1:], device=x.device) >= rate
    if len(rows) < total:
        kept = kept[list(rows)]
    return x * kept / (1 - rate)


def attention(query: Tensor, key: Tensor, value: Tensor, rate: float, training: bool) -> Tensor:
    """Return scaled dot-product attention (rows, heads, length, channels), with dropout of its weights."""
    if not training or not rate:
        return F.scaled_dot_product_attention(query, key, value)
    weights = (query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5).softmax(-1)
    return dropout(weights, rate, training) @ value
