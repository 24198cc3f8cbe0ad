"""The batches of images of an epoch: crops are joined, gathered and augmented by addressed random draws."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from linetune.augment import make_batch
from linetune.augment.draws import Draws, draw, generator
from linetune.config.schema import Stage
from linetune.core import image, processes
from linetune.core.device import to_device
from linetune.data.batching import WIDE_SHARE, bucket, plan_epoch
from linetune.data.dataset import Dataset
from linetune.training.schedule import Progress
from linetune.training.teacher import Teacher

EPOCH = 2**32
"""Address of the draws of an epoch, beyond the addresses of all crops."""


@dataclass(frozen=True, slots=True)
class Step:
    """One batch, ready for the network."""

    inputs: Tensor
    """Images (batch, 3, height, width), or their features (batch, channels, 1, frames)."""
    labels: list[list[int]]
    """CTC classes. Empty for a crop without a label."""
    stored: bool = False
    """Whether the inputs are stored features."""
    total: int = 0
    """Crops of the whole batch, of which this is a part."""
    rows: range = range(0)
    """The places of these crops in the whole batch."""
    teacher: Teacher | None = None
    """Teaches what to give for the images."""

    def share_of(self, total: int) -> Step:
        """Return the same crops as this process's share of a batch."""
        return replace(self, total=total, rows=range(total)[processes.own()])

    def taught(self) -> Tensor | None:
        """Return the teacher's log-probabilities for the images, or None without a teacher."""
        return self.teacher(self.inputs) if self.teacher else None

    def pieces(self, size: int) -> Iterator[Step]:
        """Yield the batch in pieces of at most ``size`` crops. Pieces of wide crops have fewer."""
        size = size if self.stored else image.fitting(size, self.inputs.shape[3])
        for start in range(0, len(self.labels), size):
            part = slice(start, start + size)
            yield replace(self, inputs=self.inputs[part], labels=self.labels[part], rows=self.rows[part])


@dataclass(frozen=True, slots=True)
class Sample:
    """A crop as one epoch shows it."""

    parts: tuple[int, ...]
    """The number of the crop, and of the crop that is joined to it if there is one."""
    label: list[int]
    own: int
    """Width at height 48, px."""
    padded: int
    """Width of the bucket, px. The crop is padded to it."""


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """A batch whose images are not made yet."""

    members: list[int]
    samples: list[Sample]
    draws: NDArray[np.float32]
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Pixels of the whole batch."""
        return len(self.samples) * self.width * self.height

    def part(self, which: slice) -> BatchPlan:
        """Return the batch with only some of its crops."""
        members, samples, draws = self.members[which], self.samples[which], self.draws[which]
        return replace(self, members=members, samples=samples, draws=draws)

    @property
    def frames(self) -> int:
        """CTC frames of each image."""
        return image.frames(round(self.width * self.height / image.HEIGHT))


class Batches(Protocol):
    """Batches of images or of features."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Step]:
        """Yield the batches of an epoch from number ``start`` on. The first epoch is 1."""


def endless(batches: Batches, after: Progress = Progress()) -> Iterator[tuple[int, Step]]:  # noqa: B008 - frozen
    """Yield (epoch, batch) without end: the batches that follow the given progress."""
    for epoch in itertools.count(max(1, after.epoch)):
        for batch in batches.epoch(epoch, after.in_epoch if epoch == after.epoch else 0):
            yield epoch, batch


class ImageBatches:
    """The batches of a stage. They depend on its address alone, not on what happened before.

    Args:
        data: crops and labels.
        stage: the batch size and the augmentation.
        seed: the seed of the run. With ``number`` and the epoch, it addresses every draw.
        number: the stage's place in the run.
        device: where the batches are made. The crops move there too if a quarter of its free memory is
            enough.
        teacher: teaches what to give for the images, unless the backbone is frozen.
    """

    def __init__(
        self,
        data: Dataset,
        stage: Stage,
        seed: int,
        number: int,
        device: torch.device,
        teacher: Teacher | None = None,
    ) -> None:
        self.data, self.stage, self.seed, self.number, self.device = data, stage, seed, number, device
        self.teacher = None if "backbone" in stage.freeze else teacher
        data.columns.settle(device)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Step]:
        """Yield the batches of an epoch from number ``start`` on. The first epoch is 1."""
        for plan in self.plan(epoch)[start:]:
            yield self.make(plan.part(processes.own())).share_of(len(plan.samples))

    def plan(self, epoch: int) -> list[BatchPlan]:
        """Return the batches of an epoch, without their images."""
        rng = generator(self.seed, self.number, epoch, EPOCH)
        draws = draw(self.seed, self.number, epoch, range(len(self.data)))
        samples = self.samples(draws)
        plan = []
        for batch in plan_epoch([sample.padded for sample in samples], self.stage.batch_size, rng):
            chosen = [samples[i] for i in batch.indices]
            height = self._height(rng, batch.width, chosen)
            plan.append(BatchPlan(batch.indices.tolist(), chosen, draws[batch.indices], batch.width, height))
        return plan

    def make(self, plan: BatchPlan) -> Step:
        """Make the images of a planned batch."""
        if not plan.samples:  # the share of a process in a small batch
            return Step(torch.empty(0, 3, plan.height, plan.width), [])
        parts = [sample.parts for sample in plan.samples]
        columns = self.data.columns.gather(parts, plan.width, self.device)
        widths = to_device(torch.tensor([sample.own for sample in plan.samples]), self.device)
        draws = Draws(plan.draws, self.device)
        images = make_batch(columns, widths, draws, self.stage.augment, plan.height)
        return Step(images, [sample.label for sample in plan.samples], teacher=self.teacher)

    def samples(self, draws: NDArray[np.float32]) -> list[Sample]:
        """Return every crop as its draws make it: joined to another one if the width allows it, and
        padded."""
        own, labels = self.data.columns.lengths, self.data.labels
        rows = Draws(draws, torch.device("cpu"))
        join, other = (column.numpy() for column in rows.of("join", self.stage.augment.join, 1))
        others = (other.astype(float) * len(self.data)).astype(int)
        labelled = np.array([bool(label) for label in labels])
        # A crop with a label is never joined to one without.
        fits = (own + own[others] <= image.MIN_WIDTH) & (labelled == labelled[others])
        others = np.where(join & fits, others, -1)
        widths = own + np.where(others >= 0, own[others], 0)
        texts = [labels[i] if j < 0 else labels[i] + labels[j] for i, j in enumerate(others)]
        wide = np.where(rows.of("wide", WIDE_SHARE, 1)[0].numpy(), image.MIN_WIDTH, 0)
        needed = 8 * np.array([image.frames_needed(text) for text in texts])
        padded = bucket(np.max((widths, wide, needed), axis=0))
        return [
            Sample((i,) if j < 0 else (i, int(j)), text, int(width), int(bucketed))
            for i, (j, text, width, bucketed) in enumerate(zip(others, texts, widths, padded, strict=True))
        ]

    def _height(self, rng: np.random.Generator, width: int, samples: list[Sample]) -> int:
        """Draw one of the stage's heights. If a label needs more frames than it has, take the usual
        height."""
        height = int(rng.choice(self.stage.augment.heights))
        need = max(image.frames_needed(sample.label) for sample in samples)
        return height if image.frames(round(width * height / image.HEIGHT)) >= need else image.HEIGHT
