"""Freezing parts of a network. A frozen part is bit-identical after training."""

from __future__ import annotations

from collections.abc import Collection

from linetune.models.network import Network


def set_trainable(network: Network, frozen: Collection[str]) -> None:
    """Put frozen parts into evaluation mode without gradients, and all other parts into training mode.

    Evaluation mode keeps the batch-norm statistics of frozen parts unchanged, and turns their dropout off.
    """
    network.train()
    network.requires_grad_(True)
    for name in frozen:
        part = network.get_submodule(name)
        part.eval()
        part.requires_grad_(False)
