"""A frozen part is frozen: no gradient, evaluation mode, bit-identical afterwards."""

from __future__ import annotations

from collections.abc import Collection

from linetune.models.network import Network


def set_trainable(network: Network, frozen: Collection[str]) -> None:
    """Training mode for what trains; no gradient and evaluation mode for the frozen parts.

    Evaluation mode keeps batch-norm statistics where they are and dropout out of frozen parts.
    """
    network.train()
    network.requires_grad_(True)
    for name in frozen:
        part = network.get_submodule(name)
        part.eval()
        part.requires_grad_(False)
