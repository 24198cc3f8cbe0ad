"""What all stages of a run share: crops, charset, device, precision, journal and reporter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from linetune.config.schema import Config
from linetune.core.charset import Charset
from linetune.core.device import best_device, best_precision
from linetune.core.errors import LinetuneError
from linetune.core.progress import Reporter
from linetune.data.dataset import Dataset
from linetune.training.journal import Journal
from linetune.training.teacher import Teacher


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
    teacher: Teacher | None = None
    """Teaches all stages whose backbone trains."""


def device_of(config: Config) -> torch.device:
    """Return the device of a configuration.

    Raises:
        LinetuneError: the configuration asks for a GPU, and torch finds none.
    """
    best = best_device()
    if config.device == "cuda" and best.type == "cpu":
        raise LinetuneError("torch finds no GPU on this machine", "device", "use device: auto")
    return best if config.device == "auto" else torch.device(config.device)


def precision_of(config: Config, device: torch.device) -> torch.dtype:
    """Return the precision of a configuration on a device."""
    named = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    return named[config.precision] if config.precision != "auto" else best_precision(device)
