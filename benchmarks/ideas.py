"""Ideas that linetune was measured with and left out; ``seeds.py --idea NAME=VALUE`` trains with one of them.

pull      after every step, the weights move towards those at the stage's start by VALUE x rate (L2-SP,
          arXiv 1802.01483, decoupled from Adam as AdamW does it)
depth     the rate falls by the factor VALUE from one part of the backbone to the one before it
sampled   just VALUE of the augmentation's operations a crop, drawn anew (as RandAugment, arXiv 1909.13719),
          in place of a probability each
robust    (1 - p ** VALUE) / VALUE in place of -log(p), so that a label which the network does not believe
          counts little (generalised cross-entropy, arXiv 1805.07836)
dropout   whole channels of the backbone's features are dropped with probability VALUE
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linetune.augment import draws
from linetune.models.network import Network
from linetune.training import losses, optimiser, trainer

TRAINER: Any = trainer
"""What a step calls is replaced there."""
OPERATIONS = ("warp", "crop", "clip", "blur", "brightness", "noise", "invert", "join")


def pull(value: float) -> None:
    """Weights are pulled towards the stage's start."""
    made = TRAINER.make_optimiser

    def make(network: Network) -> torch.optim.Adam:
        adam: torch.optim.Adam = made(network)
        trained = [p for group in adam.param_groups for p in group["params"]]
        start = [p.detach().clone() for p in trained]

        def pulled(*_: Any) -> None:
            group = adam.param_groups[0]
            with torch.no_grad():
                torch._foreach_lerp_(trained, start, min(1.0, value * group["lr"] / group["factor"]))

        adam.register_step_post_hook(pulled)
        return adam

    TRAINER.make_optimiser = make


def depth(value: float) -> None:
    """The nearer to the image, the slower."""
    factor, made = optimiser._factor, TRAINER.make_optimiser

    def make(network: Network) -> torch.optim.Adam:
        modules = network.backbone.named_modules()
        parts = {
            m: ".".join(name.split(".")[:2]) for name, m in modules if len([*m.parameters(recurse=False)])
        }
        order = list(dict.fromkeys(parts.values()))

        def slowed(module: nn.Module, parameter: nn.Parameter) -> float:
            behind = len(order) - order.index(parts[module]) if module in parts else 0
            return factor(module, parameter) * value**behind

        optimiser._factor = slowed
        adam: torch.optim.Adam = made(network)
        return adam

    TRAINER.make_optimiser = make


def sampled(value: float) -> None:
    """So many operations a crop, whatever their probabilities; one that is off stays off."""
    gate = draws.Draws.gate

    def drawn(self: draws.Draws, operation: str, probability: float) -> Tensor:
        if operation not in OPERATIONS or not probability:
            return gate(self, operation, probability)
        numbers = torch.stack([self._rows[:, draws._STARTS[name]] for name in OPERATIONS], 1)
        own = numbers[:, OPERATIONS.index(operation), None]
        return (numbers < own).sum(1) < value

    draws.Draws.gate = drawn  # type: ignore[method-assign]


def robust(value: float) -> None:
    """A bounded loss."""

    def bounded(logits: Tensor, labels: Sequence[Sequence[int]]) -> Tensor:
        likelihoods = torch.exp(-value * losses.ctc_losses(logits.float().log_softmax(2), labels))
        return ((1 - likelihoods) / value).mean()

    losses.ctc_loss = bounded


def dropout(value: float) -> None:
    """Features are dropped before the neck."""
    if value >= 1:
        raise ValueError("nothing would be left")
    loss = TRAINER.stage_loss

    def dropped(network: Network, features: Tensor, *others: Any) -> Tensor:
        out: Tensor = loss(network, F.dropout2d(features, value), *others)
        return out

    TRAINER.stage_loss = dropped


IDEAS = {"pull": pull, "depth": depth, "sampled": sampled, "robust": robust, "dropout": dropout}
