"""What a stage will take, before it starts: time from one measured step, memory from what that step keeps."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace

import psutil
import torch
from torch import Tensor

from linetune.config.schema import Stage
from linetune.models.network import Network
from linetune.training.batches import ImageBatches, Planned
from linetune.training.freeze import set_trainable
from linetune.training.losses import ctc_loss, nrtr_loss

TRIED = 8
"""Crops in the measured step; figures grow in proportion."""
COPIES = 5
"""A trained parameter, its gradient, Adam's two moments and the average."""
TRANSIENT = 1.5
"""Most that a step was seen to hold at once, relative to what it keeps for its backward pass."""
SHARE = 0.8
"""Share of the free memory that a batch may take."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A stage's cost on this machine."""

    seconds: float
    """Of all its epochs, validation excluded."""
    bytes: int
    """Memory for its largest batch, on the device."""
    batch_size: int
    """The stage's, or the largest smaller one that fits."""


def estimate(network: Network, stage: Stage, images: ImageBatches, dtype: torch.dtype) -> Estimate:
    """Measure one step of a stage on a copy of the network.

    The batch size is halved until the largest batch takes no more than :data:`SHARE` of what is free.
    """
    plan = images.plan(1)
    # The commonest kind of batch stands for the others.
    typical = sorted(plan, key=lambda batch: batch.width)[len(plan) // 2]
    tried = replace(
        typical,
        members=typical.members[:TRIED],
        samples=typical.samples[:TRIED],
        draws=typical.draws[:TRIED],
    )
    frozen = "backbone" in stage.freeze
    forward, step, kept = _measure(network, stage, images, tried, dtype)
    size = len(tried.samples) * tried.width * tried.height

    total = sum(len(batch.samples) * batch.width * batch.height for batch in plan) / size
    views = 1 if stage.augment.is_off else min(stage.views, stage.epochs)
    passes = views * forward + stage.epochs * step if frozen else stage.epochs * (forward + step)
    widest = max(batch.width * batch.height for batch in plan)
    trained = sum(p.numel() * p.element_size() for p in network.parameters())
    batch_size = stage.batch_size
    while batch_size > 1 and _needed(kept, batch_size * widest / size, trained) > SHARE * _free(
        images.device
    ):
        batch_size //= 2
    needed = _needed(kept, batch_size * widest / size, trained)
    return Estimate(passes * total, needed, batch_size)


def _measure(
    network: Network, stage: Stage, images: ImageBatches, planned: Planned, dtype: torch.dtype
) -> tuple[float, float, int]:
    """(seconds up to the backbone's features, seconds of the rest of a step, bytes kept for its gradient)."""
    network = copy.deepcopy(network)
    set_trainable(network, stage.freeze)
    kept = dict[int, int]()

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    for _ in range(2):  # the first one allocates and chooses kernels
        kept.clear()
        started = _now(images.device)
        batch = images.make(planned)
        with (
            torch.autocast(images.device.type, dtype, enabled=dtype != torch.float32),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            features = network.backbone(batch.inputs)
            between = _now(images.device)
            loss = ctc_loss(network.classify(features), batch.labels)
            if stage.nrtr_weight and network.nrtr is not None:
                loss = loss + stage.nrtr_weight * nrtr_loss(network.nrtr, features, batch.labels)
        loss.backward()  # type: ignore[no-untyped-call]
        ended = _now(images.device)
    return between - started, ended - between, sum(kept.values())


def _needed(kept: int, times: float, trained: int) -> int:
    return int(TRANSIENT * kept * times + COPIES * trained)


def _free(device: torch.device) -> int:
    """Bytes of memory free on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
