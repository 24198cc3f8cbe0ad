"""Reading crops with any runtime: the torch network, or an exported file in the program that it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from linetune.core import image
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
    batches = ((members, run(batch)) for members, batch in deployed_batches(crops, batch_size))
    return read_batches(batches, decoder, len(crops), progress)


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


def deployed_batches(
    crops: Sequence[Crop], batch_size: int = 32
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield (crop numbers, network input) of crops of any size. Each is padded as if it were alone."""
    sizes = crops.sizes if isinstance(crops, Sized) else [crop.shape[:2] for crop in crops]
    widths = np.array([image.input_width(image.line_width(*size)) for size in sizes], int)
    for width in np.unique(widths):
        members = np.flatnonzero(widths == width)
        size = image.fitting(batch_size, int(width))
        for start in range(0, len(members), size):
            chosen = members[start : start + size]
            yield chosen, image.pack([image.resize(crops[i]) for i in chosen], int(width))
