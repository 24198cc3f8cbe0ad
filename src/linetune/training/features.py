"""Stored features: a frozen backbone runs once, and every epoch trains on what it gave."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor, nn

from linetune.augment.draws import generator
from linetune.core import atomic, cache, image, processes
from linetune.core.device import autocast, piece_size, to_device
from linetune.core.errors import os_errors
from linetune.core.image import Crop
from linetune.data.batching import WIDE_SHARE, WIDTHS, plan_epoch
from linetune.data.packed import Packed
from linetune.decode.read import plan_batches
from linetune.models import both_ways as ways
from linetune.models.network import Network, feed_weights
from linetune.training.batches import Batches, BatchPlan, ImageBatches, Step

SUFFIX = ".features"
KEEP = 8 * 2**30
"""Largest size of all stored features in the cache, bytes."""
VIEW = 2**34
"""Address of the choice of views of an epoch, beyond all other addresses."""
STORED: dict[torch.dtype, DTypeLike] = {
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.bfloat16: np.int16,  # numpy has no bfloat16: its bits are stored
}
FRAME = image.MIN_WIDTH // image.frames(image.MIN_WIDTH)
"""Width of a frame, px."""
HASH = 64
"""Hexadecimal digits of a hash."""
FORMAT = 3
"""Raise it when a change of augmentation or batching changes what the same settings give."""


class FeatureBatches:
    """The batches of a stage with a frozen backbone: stored features of the batches of :class:`ImageBatches`.

    The features of ``views`` epochs of image batches are stored in one file of the cache, in the precision of
    the stage. The name and the first bytes of the file are a hash of everything that the features depend on.
    A hash of the content follows. A file with other hashes is never read. An epoch takes one view of every
    crop, drawn at random. Only features of one length share a batch.

    Args:
        network: has the frozen backbone.
        images: the batches to store.
        views: number of augmented views of each crop.
        dtype: precision of the backbone.
        progress: called with the number of stored views so far.

    Raises:
        LinetuneError: the cache cannot be written.

    Attributes:
        reused: whether an earlier run has stored these features.
    """

    def __init__(
        self,
        network: Network,
        images: ImageBatches,
        views: int,
        dtype: torch.dtype,
        progress: Callable[[int], None],
    ) -> None:
        self._images = images
        plans = [images.plan(view) for view in range(1, views + 1)]
        channels = network.backbone.channels
        lengths = [batch.frames for plan in plans for batch in plan for _ in batch.members]
        key = _key(network.backbone, images, plans, dtype)
        path = cache.folder() / f"{key[:32]}{SUFFIX}"
        header = len(key) + HASH
        size = header + sum(lengths) * channels * dtype.itemsize
        file = _opened(path, key, size)
        if not all(processes.everywhere(file is not None)):  # all store them, or none
            file = None
        self.reused = file is not None
        if file is None:
            batches = [batch for plan in plans for batch in plan]

            def work(batch: BatchPlan) -> Tensor:
                return _features(network, images.make(batch).inputs, dtype).to(dtype).cpu()

            _write(path, key, processes.shared(work, batches), progress)
            file = path.open("rb")
            cache.prune(SUFFIX, KEEP, spare=path)
        self._features = Packed.of_file(file, lengths, (channels,), STORED[dtype], offset=header)
        self._dtype = dtype
        self._features.settle(images.device)
        # The place of each view of each crop in the file, and its label: a view may show two joined crops.
        self._record = np.empty((views, len(images.data)), np.int64)
        self._labels: list[list[list[int]]] = [[[]] * len(images.data) for _ in plans]
        record = 0
        for view, plan in enumerate(plans):
            for batch in plan:
                for member, sample in zip(batch.members, batch.samples, strict=True):
                    self._record[view, member] = record
                    self._labels[view][member] = sample.label
                    record += 1

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Step]:
        """Yield the batches of an epoch from number ``start`` on. The first epoch is 1."""
        return self._epoch_of(np.arange(self._record.shape[1]), epoch, start)

    def of(self, members: Sequence[int]) -> Batches:
        """Return the batches of some crops alone, by their numbers."""
        return _Some(self, np.asarray(members, np.int64))

    def _epoch_of(self, chosen: NDArray[np.int64], epoch: int, start: int) -> Iterator[Step]:
        images, views = self._images, len(self._record)
        rng = generator(images.seed, images.number, epoch, VIEW)
        view = rng.integers(views, size=len(chosen))
        frames = self._features.lengths[self._record[view, chosen]]
        for batch in plan_epoch(frames, images.stage.batch_size, rng, mixed=False, unit=FRAME)[start:]:
            own = batch.indices[processes.own()]
            yield self._step(view[own], chosen[own]).share_of(len(batch.indices))

    def once(self, members: Sequence[int]) -> Iterator[tuple[NDArray[np.int64], Step]]:
        """Yield (crop numbers, batch) of some crops in their first view."""
        chosen, size = np.asarray(members, np.int64), self._images.stage.batch_size
        frames = self._features.lengths[self._record[0, chosen]]
        for length in np.unique(frames):
            alike = chosen[frames == length]
            for start in range(0, len(alike), size):
                part = alike[start : start + size]
                yield part, self._step(np.zeros_like(part), part)

    def _step(self, view: NDArray[np.int64], crops: NDArray[np.int64]) -> Step:
        """Return a batch of crops of one length, each in its view."""
        if not len(crops):  # the share of a process in a small batch
            return Step(torch.empty(0), [], stored=True)
        record = self._record[view, crops]
        frames = int(self._features.lengths[record[0]])
        features = self._features.gather([(each,) for each in record], frames, self._images.device)
        labels = [self._labels[of][crop] for of, crop in zip(view, crops, strict=True)]
        return Step(_restored(features, self._dtype), labels, stored=True)


@dataclass(frozen=True)
class _Some:
    """The batches of some crops alone."""

    features: FeatureBatches
    members: NDArray[np.int64]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Step]:
        return self.features._epoch_of(self.members, epoch, start)


class HeldOutFeatures:
    """The features of the validation crops of a stage with a frozen backbone.

    Args:
        network: has the frozen backbone.
        crops: BGR uint8 images.
        both_ways: store the features of each crop upside down as well, and read the crops both ways up.
    """

    def __init__(self, network: Network, crops: Sequence[Crop], both_ways: bool) -> None:
        self._device = network.device
        self._both_ways = both_ways
        self._batches = plan_batches(crops)
        own = self._batches[processes.own()]
        # The place of the features of each own batch, by its number among all.
        sizes = [len(batch.members) * (2 if both_ways else 1) for batch in own]
        numbers = range(len(self._batches))[processes.own()]
        self._places = dict(zip(numbers, pairwise(np.cumsum([0, *sizes]).tolist()), strict=True))

        def batches() -> Iterator[NDArray[np.generic]]:
            for batch in own:
                images = to_device(torch.from_numpy(batch.images()), self._device)
                images = ways.both_ways(images) if both_ways else images
                yield from _packed(_features(network, images, torch.float32))

        self._features = Packed.write(batches(), (network.backbone.channels,), np.float32)
        self._features.settle(self._device)

    def read(self, network: Network) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield (crop numbers, class probabilities) of all crops, with the network's neck and head."""

        def classify(features: Tensor) -> Tensor:
            probabilities = network.classify(features).softmax(2)
            return ways.surer(probabilities) if self._both_ways else probabilities

        def work(number: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            start, end = self._places[number]
            frames = int(self._features.lengths[start])
            packed = self._features.gather([(i,) for i in range(start, end)], frames, self._device)
            found = network.evaluated(classify, _restored(packed, torch.float32))
            return self._batches[number].members, found

        return processes.shared(work, range(len(self._batches)))


def _features(network: Network, images: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the features (batch, channels, 1, frames) of a backbone in evaluation mode, without
    gradients."""
    images = images.contiguous(memory_format=torch.channels_last)
    backbone = network.backbone.eval()
    pieces = torch.split(images, piece_size(images.device, len(images)))
    with torch.no_grad(), autocast(images.device, dtype):
        out: Tensor = torch.cat([backbone(piece) for piece in pieces])
    return out


def _packed(features: Tensor) -> NDArray[np.generic]:
    """Return features (batch, channels, 1, frames) in the shape of the file: (batch, frames, channels)."""
    frames = features.squeeze(2).transpose(1, 2).contiguous().cpu()
    return np.asarray((frames.view(torch.int16) if frames.dtype == torch.bfloat16 else frames).numpy())


def _restored(frames: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the inverse of :func:`_packed`, in float32."""
    return frames.view(dtype).float().transpose(1, 2).unsqueeze(2)


def _key(
    backbone: nn.Module, images: ImageBatches, plans: Sequence[Sequence[BatchPlan]], dtype: torch.dtype
) -> str:
    """Return a hash of the weights, the crops, and everything that batches depend on.

    The labels are no part of it, only the number of frames of each batch. A corrected label needs no new
    features.
    """
    digest = hashlib.blake2b(digest_size=HASH // 2)
    settings = {
        "format": (FORMAT, version("linetune")),
        "preprocessing": (image.HEIGHT, image.MIN_WIDTH, WIDTHS.tolist(), WIDE_SHARE),
        "device": images.device.type,
        "augment": images.stage.augment.model_dump(),
        "batch_size": images.stage.batch_size,
        "address": (images.seed, images.number, len(plans)),
        "dtype": str(dtype),
    }
    digest.update(json.dumps(settings).encode())
    for batch in (batch for plan in plans for batch in plan):
        parts = [sample.parts for sample in batch.samples]
        digest.update(json.dumps((batch.members, parts, batch.width, batch.height)).encode())
    feed_weights(backbone, digest.update)
    images.data.columns.feed(digest.update)
    return digest.hexdigest()


def _opened(path: Path, key: str, size: int) -> IO[bytes] | None:
    """Open the file if it is complete and has this key."""
    try:
        file = path.open("rb")
    except OSError:
        return None
    whole = os.fstat(file.fileno()).st_size == size and file.read(len(key)) == key.encode()
    if not whole or file.read(HASH) != _content(file).encode():
        file.close()
        return None
    with contextlib.suppress(OSError):  # the file may belong to another user
        path.touch()
    return file


def _content(file: IO[bytes]) -> str:
    """Return the hash of the rest of a file."""
    digest = hashlib.blake2b(digest_size=HASH // 2)
    while piece := file.read(2**22):
        digest.update(piece)
    return digest.hexdigest()


def _write(path: Path, key: str, batches: Iterator[Tensor], progress: Callable[[int], None]) -> None:
    done = 0
    with os_errors("cannot store features", path, cache.HINT):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.written(path) as partial, partial.open("wb") as file:
            file.write(key.encode() + bytes(HASH))
            digest = hashlib.blake2b(digest_size=HASH // 2)
            for features in batches:
                packed = _packed(features).data
                digest.update(packed)
                file.write(packed)
                done += len(features)
                progress(done)
            file.seek(len(key))
            file.write(digest.hexdigest().encode())
