"""One training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from linetune.augment.draws import generator
from linetune.config.schema import Stage
from linetune.core import processes
from linetune.core.charset import AliasClasses
from linetune.core.device import autocast, no_memory, out_of_memory
from linetune.models.layers.dropout import part_of_batch
from linetune.models.network import Network
from linetune.training.batches import Step
from linetune.training.freeze import set_trainable
from linetune.training.losses import stage_loss
from linetune.training.optimiser import CLIP_NORM, set_rate
from linetune.training.state import StageState

DROPOUT = 2**33
"""Address of the dropout of a step, beyond the addresses of all crops and epochs."""
NEW = 30
"""Learning rate of the rows of unknown characters relative to all others. A rate that preserves what the base
model can do is too low for a row that starts from nothing (docs/recipe.md has the measurements)."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of the CTC layer that are trained in their own way."""

    new: Sequence[int] = ()
    """Rows of unknown characters. They move :data:`NEW` times as fast."""
    aliases: AliasClasses = ()
    """Rows that add to the probability of another row's character."""


class Trainer:
    """Takes the steps of a stage.

    Args:
        network: a folded network. It is trained in place.
        stage: which parts are frozen, and the weight of the NRTR loss.
        address: the run's seed and the stage's number, which address every random draw.
        dtype: the precision of the forward pass.
        piece: how many crops of 320 px go through the network together. The gradients of all pieces add up to
            the gradient of the batch. If memory runs out, the pieces get smaller.
        rows: rows that are trained in their own way.

    Attributes:
        state: everything that steps change.
        gradient_norm: of the last step, before clipping.
    """

    def __init__(
        self,
        network: Network,
        stage: Stage,
        address: tuple[int, int],
        dtype: torch.dtype,
        piece: int,
        rows: Rows = Rows(),
    ) -> None:
        self._stage, self._address, self._dtype = stage, address, dtype
        set_trainable(network, stage.freeze)
        self._trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        layer = network.head.fc
        self._layer = [layer.weight, layer.bias] if rows.new and layer.weight.requires_grad else []
        self._aliases = rows.aliases
        self._new_rows = torch.tensor(rows.new, dtype=torch.long, device=network.device)
        self.state = StageState(network, dtype, piece)
        self.gradient_norm = torch.zeros(())

    def step(self, batch: Step, epoch: int, rate: float) -> Tensor:
        """Take one step and return the loss of the batch, a scalar on the network's device.

        Raises:
            LinetuneError: memory is too small for a single crop.
        """
        state, progress = self.state, self.state.progress
        set_rate(state.optimiser, rate)
        draws = generator(*self._address, epoch, DROPOUT + progress.step)
        seed = int(draws.integers(2**63))
        while True:
            state.optimiser.zero_grad()
            try:
                loss = self._backward(batch, seed)
                break
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                if state.piece == 1:
                    raise no_memory(f"stage {self._stage.name}") from None
                state.piece //= 2
        self._share(loss)
        state.scaler.unscale_(state.optimiser)
        self.gradient_norm = torch.nn.utils.clip_grad_norm_(self._trained, CLIP_NORM)
        self._update()
        state.average.update(state.network)
        state.progress = replace(
            progress,
            epoch=epoch,
            in_epoch=progress.in_epoch + 1 if epoch == progress.epoch else 1,
            step=progress.step + 1,
            seen=progress.seen + batch.total,
        )
        return loss

    def _backward(self, batch: Step, seed: int) -> Tensor:
        """Add up the gradients of all pieces and return the loss."""
        network, losses = self.state.network, list[Tensor]()
        for piece in batch.pieces(self.state.piece):
            torch.manual_seed(seed)
            part = part_of_batch(batch.total, piece.rows)
            with part, autocast(network.device, self._dtype):
                features = piece.inputs if batch.stored else network.backbone(piece.inputs)
                weight, taught = self._stage.nrtr_weight, piece.taught()
                loss = stage_loss(network, features, piece.labels, weight, self._aliases, taught)
                loss = loss * (len(piece.labels) / batch.total)
            self.state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.detach().float())
        # A process may have no crop of a small batch.
        return torch.stack(losses).sum() if losses else torch.zeros((), device=network.device)

    def _share(self, loss: Tensor) -> None:
        """Add up the gradients and the loss of all processes. Then all have those of the whole batch."""
        if processes.size() == 1:
            return
        gradients = list[Tensor]()
        for parameter in self._trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        processes.add_up([*gradients, loss])

    def _update(self) -> None:
        """Change the weights, those of new rows :data:`NEW` times as far."""
        before = [parameter.detach()[self._new_rows] for parameter in self._layer]
        self.state.scaler.step(self.state.optimiser)
        self.state.scaler.update()
        with torch.no_grad():
            for parameter, old in zip(self._layer, before, strict=True):
                parameter[self._new_rows] = old.lerp(parameter[self._new_rows], NEW)
