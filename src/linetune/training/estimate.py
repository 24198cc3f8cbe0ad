"""The time and the memory that a stage will take, from one measured step."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from linetune.config.schema import Stage
from linetune.core import image
from linetune.core.device import autocast, free_memory, no_memory, now, out_of_memory, piece_size
from linetune.models.network import Network
from linetune.training.batches import BatchPlan, ImageBatches
from linetune.training.freeze import set_trainable
from linetune.training.losses import stage_loss
from linetune.training.rate import trial_steps
from linetune.training.schedule import EXPECTED, expected_epochs

COPIES = 5
"""Copies of the weights in memory: the parameters, their gradients, two moments of Adam, and the average."""
TRANSIENT = 1.5
"""Largest measured memory of a step, relative to what it keeps for its backward pass."""
SHARE = 0.8
"""Largest share of the free memory for a step."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a stage takes on this machine."""

    seconds: float
    """Seconds for the expected number of steps, without validation."""
    first_pass: float
    """Seconds of them in which a frozen backbone computes the features of all crops. 0 without a frozen
    one."""
    bytes: int
    """Memory on the device for the largest step."""
    piece: int
    """Crops of a batch that go through the network together."""
    fits: bool
    """Whether the memory is enough for a step with such pieces."""


def estimate(
    network: Network, stage: Stage, images: ImageBatches, dtype: torch.dtype, crops: int | None = None
) -> Estimate:
    """Measure one step of a stage on a copy of the network.

    The pieces of a batch are halved until the largest takes at most :data:`SHARE` of the free memory.

    Args:
        network: the network that the stage starts from.
        stage: its settings.
        images: the batches of its crops, or of the first crops.
        dtype: the precision.
        crops: the number of all crops. By default, those of the batches.
    """
    plan = images.plan(1)
    # The batch of median width represents the others.
    typical = sorted(plan, key=lambda batch: batch.width)[len(plan) // 2]
    piece = piece_size(images.device, stage.batch_size)
    while True:
        measured = typical.part(slice(image.fitting(piece, typical.width)))
        try:
            forward, step, kept = _measure(network, stage, images, measured, dtype)
            break
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if piece == 1:
                raise no_memory(f"stage {stage.name}") from None
            piece //= 2
    scale = (crops or len(images.data)) / len(images.data)
    total = scale * sum(batch.pixels for batch in plan) / measured.pixels
    per_epoch = math.ceil(scale * len(plan))
    passes = expected_steps(stage, per_epoch) / per_epoch
    if "backbone" in stage.freeze:
        first_pass = stage.stored_views * forward * total
        seconds = first_pass + passes * step * total
    else:
        first_pass, seconds = 0.0, passes * (forward + step) * total

    teacher = images.teacher.model.network.parameters() if images.teacher else ()
    weights = COPIES * _bytes(network.parameters()) + _bytes(teacher)
    free = SHARE * free_memory(images.device)

    def needed(piece: int) -> int:
        largest = max(batch.part(slice(image.fitting(piece, batch.width))).pixels for batch in plan)
        return int(TRANSIENT * kept * largest / measured.pixels + weights)

    while piece > 1 and needed(piece) > free:
        piece //= 2
    return Estimate(seconds, first_pass, needed(piece), piece, needed(piece) <= free)


def _bytes(parameters: Iterable[Tensor]) -> int:
    return sum(each.numel() * each.element_size() for each in parameters)


def expected_steps(stage: Stage, per_epoch: int) -> int:
    """Return the expected steps of a stage, including the trials of learning rates.

    Args:
        stage: its length and its learning rate.
        per_epoch: batches of an epoch.
    """
    steps = stage.steps or (expected_epochs(stage) or 0) * per_epoch
    return (steps or EXPECTED) + trial_steps(stage)


def _measure(
    network: Network, stage: Stage, images: ImageBatches, plan: BatchPlan, dtype: torch.dtype
) -> tuple[float, float, int]:
    """Measure a step: (seconds of the backbone, seconds of the rest, bytes kept for the backward pass)."""
    network = copy.deepcopy(network)
    set_trainable(network, stage.freeze)
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept = dict[int, int]()

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    for _ in range(2):  # the first step also allocates memory and chooses kernels
        kept.clear()
        started = now(images.device)
        batch = images.make(plan)
        with (
            autocast(images.device, dtype),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            features = network.backbone(batch.inputs)
            between = now(images.device)
            loss = stage_loss(network, features, batch.labels, stage.nrtr_weight, (), batch.taught())
        loss.backward()  # type: ignore[no-untyped-call]
        ended = now(images.device)
    return between - started, ended - between, sum(kept.values())
