"""The best of a stage's validations, and the weights that it read with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from linetune.evaluation.metrics import Score
from linetune.models.network import Network
from linetune.training.trainer import Trainer


@dataclass(frozen=True, order=True)
class Validation:
    """What an epoch reads of the validation set; a better one compares greater.

    Of the epochs that read more than the stage started with, the labels' probability decides: exact match
    hangs on the few crops that are about as likely to be read wrong as right, so that it often takes the
    luckier of two epochs (docs/log.md has the comparison).
    """

    helps: bool
    """Whether the score is above that of the model that the stage started from."""
    label_probability: float
    """Mean over all crops of the probability of the label, by CTC, 0 to 1."""
    score: Score


class Best:
    """The best validation so far, and the weights that it read with.

    Args:
        on_better: told of each that helps and beats those before.
    """

    def __init__(self, on_better: Callable[[Network, Score], None]) -> None:
        self._on_better = on_better
        self.validation: Validation | None = None
        self.state = dict[str, Any]()
        """The trainer's, to go on from."""
        self.step = self.epoch = 0

    def offered(self, found: Validation, trainer: Trainer, epoch: int) -> bool:
        """Whether a validation of the trainer's averaged weights is the best, which is then kept."""
        if self.validation is not None and found <= self.validation:
            return False
        self.validation, self.state = found, trainer.state()
        self.step, self.epoch = trainer.at.step, epoch
        if found.helps:
            self._on_better(trainer.average.network, found.score)
        return True

    @property
    def weights(self) -> dict[str, Tensor]:
        """The averaged weights that it read with."""
        weights: dict[str, Tensor] = self.state["average"]["network"]
        return weights

    def detail(self, epoch: int, loss: float) -> str:
        """What a progress bar shows."""
        best = f"  best {self.validation.score.exact_match:.1%}" if self.validation else ""
        return f"epoch {epoch}  loss {loss:.3f}{best}"
