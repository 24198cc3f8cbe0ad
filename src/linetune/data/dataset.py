"""Labelled crops, decoded once and kept in a file at the network's height."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, repeat
from typing import overload

import numpy as np
from numpy.typing import NDArray

from linetune.core import image
from linetune.core.charset import Charset
from linetune.core.errors import LinetuneError, many_errors
from linetune.core.image import Crop
from linetune.core.labelfile import Line
from linetune.data.check.images import missing_image_hint
from linetune.data.packed import Packed

WINDOW = 256
"""Crops that are decoded at a time."""
ROW = (image.HEIGHT, 3)
"""A pixel column of a crop: crops are packed along the line, so that they join and gather by columns."""


@dataclass(frozen=True)
class Dataset:
    """Crops at height 48 with their labels, in the order of the label files."""

    lines: list[Line]
    columns: Packed
    """Each crop as (width, 48, 3) uint8, BGR."""
    labels: list[list[int]]
    """CTC classes; empty lists when the dataset was loaded without a charset."""
    skipped: int = 0
    """Lines left out because they could not be used."""

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def texts(self) -> list[str]:
        """The labels as text."""
        return [line.text for line in self.lines]

    @property
    def crops(self) -> Sequence[Crop]:
        """The crops as images."""
        return _Crops(self.columns)

    def half_turned(self, which: NDArray[np.bool_]) -> Dataset:
        """The same with those crops turned by half, the labels as they are."""
        columns = (
            self.columns[i][::-1, ::-1] if turn else self.columns[i] for i, turn in enumerate(which.tolist())
        )
        return replace(self, columns=Packed.write(columns, ROW, np.uint8))

    def __add__(self, other: Dataset) -> Dataset:
        parts = (self, other)
        columns = (part.columns[i] for part in parts for i in range(len(part)))
        return Dataset(
            self.lines + other.lines,
            Packed.write(columns, ROW, np.uint8),
            self.labels + other.labels,
            self.skipped + other.skipped,
        )


class _Crops(Sequence[Crop]):
    """Packed columns as images (48, width, 3)."""

    def __init__(self, columns: Packed) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(self._columns)

    @overload
    def __getitem__(self, index: int) -> Crop: ...
    @overload
    def __getitem__(self, index: slice) -> list[Crop]: ...
    def __getitem__(self, index: int | slice) -> Crop | list[Crop]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return np.ascontiguousarray(self._columns[index].transpose(1, 0, 2), np.uint8)


def load_dataset(
    lines: Sequence[Line],
    charset: Charset | None,
    skip_bad: bool = False,
    progress: Callable[[int], None] = lambda done: None,
    crops: Iterable[Crop] | None = None,
) -> Dataset:
    """Decode the crops and encode the labels.

    Args:
        lines: what to load.
        charset: the characters to train on; None for a set that is only read and scored, where a
            character the model lacks is a wrong reading rather than an unusable line.
        skip_bad: leave out lines that cannot be used instead of refusing them.
        progress: called with the number of lines done so far.
        crops: the lines' images, in their order, where they are not files.

    Raises:
        LinetuneError: listing the first ten lines that cannot be used, and their number.
    """

    def prepare(line: Line, crop: Crop | None) -> tuple[Crop, list[int]] | LinetuneError:
        try:
            return _prepare(line, charset, crop)
        except LinetuneError as error:
            return error

    images: Iterator[Crop | None] = repeat(None) if crops is None else iter(crops)

    good: list[tuple[Line, list[int]]] = []
    bad: list[LinetuneError] = []

    def columns() -> Iterator[NDArray[np.uint8]]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            # A window at a time: decoded crops must not pile up before they are packed.
            windows = (lines[start : start + WINDOW] for start in range(0, len(lines), WINDOW))
            results = (
                result
                for window in windows
                for result in pool.map(prepare, window, islice(images, len(window)))
            )
            for line, result in zip(lines, results, strict=True):
                if isinstance(result, LinetuneError):
                    bad.append(result)
                else:
                    good.append((line, result[1]))
                    yield result[0].transpose(1, 0, 2)
                progress(len(good) + len(bad))

    packed = Packed.write(columns(), ROW, np.uint8)
    if bad and not (skip_bad and good):
        raise many_errors(
            bad,
            f"of {len(lines)} lines cannot be used",
            hint="nothing is left" if skip_bad else "mend them, or pass --skip-bad to go on without them",
        )
    return Dataset([line for line, _ in good], packed, [label for _, label in good], len(bad))


def _prepare(line: Line, charset: Charset | None, crop: Crop | None) -> tuple[Crop, list[int]]:
    try:
        crop = image.resize(image.read(line.image) if crop is None else crop)
    except LinetuneError as error:
        raise LinetuneError(
            f"{error.what}: {line.image}", line.source, missing_image_hint(line, error)
        ) from None
    if charset is None:
        return crop, []
    try:
        label = charset.encode(line.text)
    except LinetuneError as error:
        raise LinetuneError(f"{error.what}: {line.text!r}", line.source) from None
    have, need = image.frames(image.input_width(crop.shape[1])), image.frames_needed(label)
    if need > have:
        raise LinetuneError(f"{line.text!r} needs {need} frames, the crop has {have}", line.source)
    return crop, label
