"""A network in training, one step at a time, with all that a step changes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from linetune.augment.draws import generator
from linetune.config.schema import Stage
from linetune.core.device import autocast
from linetune.models.network import Network
from linetune.training.averaging import WeightAverage
from linetune.training.batches import Step
from linetune.training.freeze import set_trainable
from linetune.training.losses import stage_loss
from linetune.training.optimiser import CLIP_NORM, make_optimiser, set_rate
from linetune.training.schedule import Position

DROPOUT = 2**33
"""Address of a step's dropout, beyond every crop's and the epoch's own."""
NEW = 30
"""Rate of the rows of unknown characters relative to all others. At rates that spare what the base model
can, a row that starts from nothing learns slowly (docs/recipe.md has the measurements)."""


class Trainer:
    """Takes the steps of a stage.

    Args:
        network: a folded network; it is trained in place.
        stage: what is frozen, and the weight of the NRTR guidance.
        address: the run's seed and the stage's place in the run, of every random draw.
        dtype: what the forward pass computes in.
        piece: crops of 320 px that go through the network together; their gradients add up to the batch's.
        new_rows: rows of the CTC layer that the base model had no knowledge of; they move :data:`NEW` times
            as fast.

    Attributes:
        average: the moving average of the weights.
        at: how far it has come.
        norm: the last step's gradient norm, before clipping.
    """

    def __init__(
        self,
        network: Network,
        stage: Stage,
        address: tuple[int, int],
        dtype: torch.dtype,
        piece: int,
        new_rows: Sequence[int] = (),
    ) -> None:
        self.network, self.stage = network, stage
        self._address, self._dtype, self._piece = address, dtype, piece
        set_trainable(network, stage.freeze)
        self._trained = [p for p in network.parameters() if p.requires_grad]
        self._optimiser = make_optimiser(network)
        self._scaler = torch.amp.GradScaler(network.device.type, enabled=dtype == torch.float16)
        layer = network.head.fc
        self._layer = [layer.weight, layer.bias] if new_rows and layer.weight.requires_grad else []
        self._new_rows = torch.tensor(new_rows, dtype=torch.long, device=network.device)
        self.average = WeightAverage(network)
        self.at = Position(0, 0)
        self.norm = torch.zeros(())

    def step(self, batch: Step, epoch: int, rate: float) -> Tensor:
        """Take one step, and give the batch's loss."""
        network, optimiser, scaler = self.network, self._optimiser, self._scaler
        set_rate(optimiser, rate)
        draws = generator(*self._address, epoch, DROPOUT + self.at.step)
        torch.manual_seed(int(draws.integers(2**63)))
        optimiser.zero_grad()
        losses = list[Tensor]()
        for part in batch.pieces(self._piece):
            with autocast(network.device, self._dtype):
                features = part.inputs if batch.stored else network.backbone(part.inputs)
                loss = stage_loss(network, features, part.labels, self.stage.nrtr_weight)
                loss = loss * (len(part.labels) / len(batch.labels))
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach())
        scaler.unscale_(optimiser)
        self.norm = torch.nn.utils.clip_grad_norm_(self._trained, CLIP_NORM)
        before = [parameter.detach()[self._new_rows] for parameter in self._layer]
        scaler.step(optimiser)
        scaler.update()
        with torch.no_grad():
            for parameter, old in zip(self._layer, before, strict=True):
                parameter[self._new_rows] = old.lerp(parameter[self._new_rows], NEW)
        self.average.update(network)
        self.at = Position(self.at.step + 1, self.at.seen + len(batch.labels))
        return torch.stack(losses).sum()

    def state(self) -> dict[str, Any]:
        """A copy of all that steps change."""
        parts = {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": self.average.state_dict(),
        }
        return {**copy.deepcopy(parts), "at": self.at}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a copy."""
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(copy.deepcopy(state["optimiser"]))
        self._scaler.load_state_dict(state["scaler"])
        self.average.load_state_dict(state["average"])
        self.at = state["at"]
