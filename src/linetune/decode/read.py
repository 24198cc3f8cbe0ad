"""Reading crops with any runtime: the torch network, or an exported file in the program that it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from linetune.core import image, processes
from linetune.core.image import Crop
from linetune.decode.reading import Decoder, Reading


@runtime_checkable
class Sized(Protocol):
    """Crops in a file whose sizes are known without reading them."""

    @property
    def sizes(self) -> Sequence[tuple[int, int]]:
        """(height, width) of each crop, in px."""


Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Network input (batch, 3, 48, width) to class probabilities (batch, frames, classes)."""


def read_crops(
    run: Run,
    crops: Sequence[Crop],
    decoder: Decoder,
    batch_size: int = 32,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Reading]:
    """Read crops with the deployment preprocessing.

    Only crops of one padded width share a batch. The text of a crop does not depend on the other crops.

    Args:
        run: the network.
        crops: BGR uint8 images of any size.
        decoder: turns class probabilities into readings.
        batch_size: largest number of crops in a batch. Batches of crops wider than 320 px have fewer.
        progress: called with the number of crops read so far.

    Returns:
        One reading for each crop, in the order of the crops.
    """
    return read_batches(run_deployed(run, crops, batch_size), decoder, len(crops), progress)


def read_batches(
    batches: Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]],
    decoder: Decoder,
    count: int,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Reading]:
    """Decode batches of (crop numbers, class probabilities). Return the readings of all crops in order."""
    readings: dict[int, Reading] = {}
    for members, probabilities in batches:
        readings.update(zip(members.tolist(), decoder(probabilities), strict=True))
        progress(len(readings))
    return [readings[i] for i in range(count)]


def run_deployed(
    run: Run, crops: Sequence[Crop], batch_size: int = 32
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield (crop numbers, class probabilities) of crops of any size, with the deployment preprocessing.

    Where several processes do one run, each reads its share, and gets the results of the others.
    """
    batches = plan_batches(crops, batch_size)
    return processes.shared(lambda batch: (batch.members, run(batch.images())), batches)


def deployed_batches(
    crops: Sequence[Crop], batch_size: int = 32
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield (crop numbers, network input) of crops of any size. Each is padded as if it were alone."""
    for batch in plan_batches(crops, batch_size):
        yield batch.members, batch.images()


@dataclass(frozen=True)
class DeployedBatch:
    """Crops of one padded width."""

    members: NDArray[np.int64]
    """The numbers of the crops."""
    width: int
    """px"""
    crops: Sequence[Crop]
    """All crops."""

    def images(self) -> NDArray[np.float32]:
        """Return the network input (members, 3, 48, width). Each crop is padded as if it were alone."""
        return image.pack([image.resize(self.crops[i]) for i in self.members], self.width)


def plan_batches(crops: Sequence[Crop], batch_size: int = 32) -> list[DeployedBatch]:
    """Return the batches of crops of any size. No crop is read yet."""
    sizes = crops.sizes if isinstance(crops, Sized) else [crop.shape[:2] for crop in crops]
    widths = np.array([image.input_width(image.line_width(*size)) for size in sizes], int)
    batches = list[DeployedBatch]()
    for width in np.unique(widths).tolist():
        members = np.flatnonzero(widths == width)
        size = image.fitting(batch_size, width)
        starts = range(0, len(members), size)
        batches += [DeployedBatch(members[start : start + size], width, crops) for start in starts]
    return batches
