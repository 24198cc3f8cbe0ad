"""An epoch's batches: crops joined, packed and augmented by addressed draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linetune import image
from linetune.augment.batch import make_batch
from linetune.augment.draws import Draws, draw, generator
from linetune.config.schema import Stage
from linetune.data.batching import plan_epoch
from linetune.data.dataset import Dataset

EPOCH = 2**32
"""Address of an epoch's own draws, beyond every crop's."""


@dataclass(frozen=True)
class Step:
    """One batch, ready for the network."""

    images: Tensor
    labels: list[list[int]]


def epoch_batches(
    data: Dataset, stage: Stage, seed: int, number: int, epoch: int, device: torch.device
) -> Iterator[Step]:
    """The batches of one epoch, the same whatever happened before.

    Args:
        data: crops and labels.
        stage: the batch size and the augmentation.
        seed: the run's seed; with ``number`` and ``epoch`` the address of every draw.
        number: the stage's place in the run.
        epoch: from 1.
        device: where the batches are made.
    """
    draws = draw(seed, number, epoch, range(len(data)))
    samples = [_sample(data, i, draws[i], stage) for i in range(len(data))]
    widths = [max(width, 8 * image.frames_needed(label)) for _, label, width in samples]
    rng = generator(seed, number, epoch, EPOCH)
    for batch in plan_epoch(widths, stage.batch_size, rng):
        members = [samples[i] for i in batch.indices]
        labels = [label for _, label, _ in members]
        height = _height(rng, stage, batch.width, labels)
        crops = [np.concatenate([data.crops[i] for i in parts], axis=1) for parts, _, _ in members]
        images = make_batch(
            crops,
            batch.width,
            Draws(draws[batch.indices], device),
            stage.augment,
            height,
            device,
        )
        yield Step(images, labels)


def _sample(
    data: Dataset, index: int, row: NDArray[np.float32], stage: Stage
) -> tuple[tuple[int, ...], list[int], int]:
    """(crops, label, width) of one sample: a crop, or two joined where the draw and the width allow."""
    label, width = data.labels[index], data.crops[index].shape[1]
    gate, choice = row[0], row[1]
    if gate < stage.augment.join:
        other = min(int(choice * len(data)), len(data) - 1)
        joined = width + data.crops[other].shape[1]
        if joined <= image.MIN_WIDTH:
            return (index, other), label + data.labels[other], joined
    return (index,), label, width


def _height(rng: np.random.Generator, stage: Stage, width: int, labels: list[list[int]]) -> int:
    """One of the stage's heights, if the frames at that height suffice for every label."""
    height = int(rng.choice(stage.augment.heights))
    need = max(map(image.frames_needed, labels))
    return height if image.frames(round(width * height / image.HEIGHT)) >= need else image.HEIGHT
