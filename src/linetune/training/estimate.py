"""What a stage will take, before it starts: time from one measured step, memory from what that step keeps."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from linetune.config.schema import Stage
from linetune.core import image
from linetune.core.device import autocast, free_memory, now, piece_size
from linetune.models.network import Network
from linetune.training.batches import ImageBatches, Planned
from linetune.training.freeze import set_trainable
from linetune.training.losses import stage_loss
from linetune.training.rate import trial_steps
from linetune.training.schedule import EXPECTED, expected_epochs

COPIES = 5
"""A trained parameter, its gradient, Adam's two moments and the average."""
TRANSIENT = 1.5
"""Most that a step was seen to hold at once, relative to what it keeps for its backward pass."""
SHARE = 0.8
"""Share of the free memory that a step may take."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A stage's cost on this machine."""

    seconds: float
    """Of as many steps as are expected, validation excluded."""
    first_pass: float
    """Seconds of those in which a frozen backbone computes every crop's features, else 0."""
    bytes: int
    """Memory for its largest step, on the device."""
    piece: int
    """Crops of a batch that fit through the network together."""
    fits: bool
    """Whether there is memory for a step at all."""


def estimate(
    network: Network, stage: Stage, images: ImageBatches, dtype: torch.dtype, crops: int | None = None
) -> Estimate:
    """Measure one step of a stage on a copy of the network.

    The pieces of a batch are halved until the largest takes no more than :data:`SHARE` of what is free.

    Args:
        network: what the stage starts from.
        stage: its settings.
        images: the batches of its crops, or of some of them.
        dtype: what is computed in.
        crops: how many there will be, where the batches are of some.
    """
    plan = images.plan(1)
    # The commonest kind of batch stands for the others.
    typical = sorted(plan, key=lambda batch: batch.width)[len(plan) // 2]
    piece = piece_size(images.device, stage.batch_size)
    tried = typical.first(image.fitting(piece, typical.width))
    forward, step, kept = _measure(network, stage, images, tried, dtype)
    scale = (crops or len(images.data)) / len(images.data)
    total = scale * sum(batch.pixels for batch in plan) / tried.pixels
    per_epoch = math.ceil(scale * len(plan))
    passes = expected_steps(stage, per_epoch) / per_epoch
    if "backbone" in stage.freeze:
        first_pass = stage.stored_views * forward * total
        seconds = first_pass + passes * step * total
    else:
        first_pass, seconds = 0.0, passes * (forward + step) * total

    parameters = sum(p.numel() * p.element_size() for p in network.parameters())
    free = SHARE * free_memory(images.device)

    def needed(piece: int) -> int:
        largest = max(batch.first(image.fitting(piece, batch.width)).pixels for batch in plan)
        return int(TRANSIENT * kept * largest / tried.pixels + COPIES * parameters)

    while piece > 1 and needed(piece) > free:
        piece //= 2
    return Estimate(seconds, first_pass, needed(piece), piece, needed(piece) <= free)


def expected_steps(stage: Stage, per_epoch: int) -> int:
    """Steps that a stage is expected to take, those of trying rates included.

    Args:
        stage: its length and its rate.
        per_epoch: batches of an epoch.
    """
    told = stage.steps or (expected_epochs(stage) or 0) * per_epoch
    return (told or EXPECTED) + trial_steps(stage)


def _measure(
    network: Network, stage: Stage, images: ImageBatches, planned: Planned, dtype: torch.dtype
) -> tuple[float, float, int]:
    """(seconds up to the backbone's features, seconds of the rest of a step, bytes kept for its gradient)."""
    network = copy.deepcopy(network)
    set_trainable(network, stage.freeze)
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept = dict[int, int]()

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    for _ in range(2):  # the first one allocates and chooses kernels
        kept.clear()
        started = now(images.device)
        batch = images.make(planned)
        with (
            autocast(images.device, dtype),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            features = network.backbone(batch.inputs)
            between = now(images.device)
            loss = stage_loss(network, features, batch.labels, stage.nrtr_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        ended = now(images.device)
    return between - started, ended - between, sum(kept.values())
