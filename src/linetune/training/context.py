"""What all stages of a run share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from linetune.core.charset import Charset
from linetune.core.progress import Reporter
from linetune.data.dataset import Dataset
from linetune.training.journal import Journal


@dataclass(frozen=True)
class Context:
    """What all stages of a run share."""

    charset: Charset
    val: Dataset
    seed: int
    device: torch.device
    dtype: torch.dtype
    journal: Journal
    reporter: Reporter
    both_ways: bool = False
    """Whether validation crops are read both ways up."""
    unknown: Sequence[str] = ()
    """The unknown characters of the charset."""
