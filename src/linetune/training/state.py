"""Everything that the steps of a stage change. A stage that resumes needs this and its settings, nothing
else."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from linetune.evaluation.metrics import Score
from linetune.models.network import Network
from linetune.training.averaging import WeightAverage
from linetune.training.optimiser import make_optimiser, rate_factors
from linetune.training.schedule import Progress


@dataclass(frozen=True, order=True)
class Validation:
    """The result of one validation. A better one compares greater.

    Exact match depends on the few crops that the model reads by chance. Therefore the label probability
    decides between validations that are better than the start of the stage (docs/log.md has the comparison).
    """

    helps: bool
    """Whether the run keeps these weights instead of the model that the stage started from. Their score is
    better, or about the same and the stage wins ties."""
    label_probability: float
    """Mean probability of the labels by CTC, 0 to 1."""
    score: Score


class StageState:
    """The network in training, its average, the optimiser, the counts, and the best validation so far.

    Args:
        network: a folded network whose trainable parameters are already set. It is trained in place.
        dtype: the precision of the forward pass. fp16 needs a scaler for its gradients.

    Attributes:
        average: the moving average of the weights. It is what is validated and kept.
        factors: the learning rate of each parameter relative to the stage's rate, by name. They depend on the
            weights at the start of the stage. A resumed stage cannot compute them again.
        progress: the counts.
        peak: the highest learning rate. 0 until it is known.
        piece: how many crops of 320 px go through the network together.
        best: the best validation so far.
    """

    def __init__(self, network: Network, dtype: torch.dtype, piece: int) -> None:
        self.network = network
        self.average = WeightAverage(network)
        self.factors = rate_factors(network)
        self.optimiser = make_optimiser(network, self.factors)
        self.scaler = torch.amp.GradScaler(network.device.type, enabled=dtype == torch.float16)
        self.progress = Progress()
        self.peak = 0.0
        self.piece = piece
        self.best: Validation | None = None
        self._good = self.snapshot()

    def snapshot(self) -> dict[str, Any]:
        """Return a copy of the weights, the average, the optimiser and the counts."""
        return copy.deepcopy(self._moving())

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Continue from a snapshot, which stays unchanged. The best validation stays as it is."""
        self.network.load_state_dict(snapshot["network"])
        self.average.load_state_dict(snapshot["average"])
        if snapshot["factors"] != self.factors:
            self.factors = dict(snapshot["factors"])
            self.optimiser = make_optimiser(self.network, self.factors)
        self.optimiser.load_state_dict(copy.deepcopy(snapshot["optimiser"]))
        self.scaler.load_state_dict(snapshot["scaler"])
        self.progress = Progress(**snapshot["progress"])

    def keep_if_best(self, validation: Validation) -> bool:
        """Keep the present weights if their validation is the best so far. Return whether it is."""
        if self.best is not None and validation <= self.best:
            return False
        at = self.progress
        self.progress = replace(at, best_epoch=at.epoch, best_step=at.step, best_seen=at.seen)
        self.best, self._good = validation, self.snapshot()
        return True

    def return_to_best(self) -> None:
        """Continue from the weights of the best validation, or from those of the start if there was none. The
        counts go on."""
        progress = self.progress
        self.restore(self._good)
        self.progress = progress

    @property
    def best_weights(self) -> dict[str, Tensor]:
        """The averaged weights of the best validation."""
        weights: dict[str, Tensor] = self._good["average"]["network"]
        return weights

    def state_dict(self) -> dict[str, Any]:
        """Return everything that :meth:`load_state_dict` continues from. The tensors are not copied."""
        best = asdict(self.best) if self.best else None
        fixed = {"peak": self.peak, "piece": self.piece, "best": best, "good": self._good}
        return {**self._moving(), **fixed}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from another state of the same stage."""
        self.restore(state)
        self.peak, self.piece, self._good = state["peak"], state["piece"], state["good"]
        best = state["best"]
        self.best = best and Validation(**{**best, "score": Score(**best["score"])})

    def _moving(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "factors": dict(self.factors),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "progress": asdict(self.progress),
        }
