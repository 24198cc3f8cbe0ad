"""Arrays of different lengths in files. Only the arrays that are needed come into memory."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import IO

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from linetune.core import cache
from linetune.core.device import free_memory, to_device
from linetune.core.errors import LinetuneError

PIECE = 2**16
"""Number of rows that are read at a time when all rows are needed."""


class _Rows:
    """Rows of one shape in a file.

    The file is mapped anew for every access. Rows that were read stay in the system's cache as long as there
    is room, but never in the memory of this process.

    Args:
        file: an open binary file. It is closed when this object is deleted.
        count: number of rows.
        row: shape of a row.
        dtype: type of the numbers.
        offset: bytes before the first row.
    """

    def __init__(
        self, file: IO[bytes], count: int, row: tuple[int, ...], dtype: np.dtype[np.generic], offset: int
    ) -> None:
        self._file, self._offset, self._dtype = file, offset, dtype
        self.shape = (count, *row)
        self._resident: Tensor | None = None
        weakref.finalize(self, file.close)

    def mapped(self) -> NDArray[np.generic]:
        """Return all rows, mapped."""
        return np.asarray(np.memmap(self._file, self._dtype, "r", self._offset, self.shape))

    def take(self, places: NDArray[np.int64], device: torch.device) -> Tensor:
        """Return some rows on a device."""
        if self._resident is not None:
            return self._resident.index_select(0, to_device(torch.from_numpy(places), device))
        return to_device(torch.from_numpy(self.mapped().take(places, axis=0)), device)

    def settle(self, device: torch.device) -> None:
        """Keep all rows on a GPU if they take at most a quarter of its free memory."""
        size = int(np.prod(self.shape)) * self._dtype.itemsize
        if self._resident is None and device.type == "cuda" and size < free_memory(device) / 4:
            starts = range(0, self.shape[0], PIECE)
            pieces = [torch.from_numpy(np.array(self.mapped()[start : start + PIECE])) for start in starts]
            self._resident = torch.cat([piece.to(device) for piece in pieces])


@dataclass(frozen=True, eq=False)
class Packed:
    """Arrays of shape (length, \\*row). They are views into the rows of some files.

    A selection and a union of packed arrays share these files. They copy no array.
    """

    _files: list[_Rows]
    _file: NDArray[np.int64]
    """Index of the file of each array, shape (arrays,)."""
    _starts: NDArray[np.int64]
    """First row of each array in its file, shape (arrays,)."""
    lengths: NDArray[np.int64]
    """Number of rows of each array, shape (arrays,)."""

    @classmethod
    def of_file(
        cls, file: IO[bytes], lengths: Sequence[int], row: tuple[int, ...], dtype: DTypeLike, offset: int = 0
    ) -> Packed:
        """Return the arrays of a file.

        Args:
            file: an open binary file with the arrays one after the other. It is closed with its last view.
            lengths: number of rows of each array.
            row: shape of a row.
            dtype: type of the numbers.
            offset: bytes before the first array.
        """
        counts = np.asarray(lengths, np.int64)
        rows = _Rows(file, int(counts.sum()), row, np.dtype(dtype), offset)
        return cls([rows], np.zeros_like(counts), counts.cumsum() - counts, counts)

    @classmethod
    def write(cls, arrays: Iterable[NDArray[np.generic]], row: tuple[int, ...], dtype: DTypeLike) -> Packed:
        """Pack arrays into a new file, which is deleted with its last view.

        Raises:
            LinetuneError: the file cannot be written, for example because the disk is full.
        """
        file, lengths = cache.scratch(), []
        try:
            for array in arrays:
                assert array.shape[1:] == row
                file.write(np.ascontiguousarray(array, dtype).data)
                lengths.append(len(array))
            file.flush()
        except OSError as error:
            file.close()
            what = f"cannot store crops ({error.strerror})"
            raise LinetuneError(what, cache.folder(), cache.HINT) from None
        return cls.of_file(file, lengths, row, dtype)

    def select(self, indices: Sequence[int] | NDArray[np.int64]) -> Packed:
        """Return some of the arrays, in the order of the indices."""
        chosen = np.asarray(indices, np.int64)
        return Packed(self._files, self._file[chosen], self._starts[chosen], self.lengths[chosen])

    def __add__(self, other: Packed) -> Packed:
        """Return these arrays and then those of another object."""
        files = self._files + [rows for rows in other._files if rows not in self._files]
        place = np.array([files.index(rows) for rows in other._files], np.int64)
        return Packed(
            files,
            np.concatenate((self._file, place[other._file])),
            np.concatenate((self._starts, other._starts)),
            np.concatenate((self.lengths, other.lengths)),
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> NDArray[np.generic]:
        """Return a copy of one array."""
        start, length = self._starts[index], self.lengths[index]
        return np.array(self._files[self._file[index]].mapped()[start : start + length])

    def feed(self, digest: Callable[[memoryview], object]) -> None:
        """Give all lengths and numbers to a hash, a piece at a time."""
        digest(self.lengths.data)
        for file, start, end in self._runs():
            for piece in range(start, end, PIECE):
                digest(np.array(self._files[file].mapped()[piece : min(end, piece + PIECE)]).data)

    def gather(self, items: Sequence[Sequence[int]], length: int, device: torch.device) -> Tensor:
        """Return a batch. The arrays of each item are joined and padded with zeros.

        Args:
            items: numbers of arrays, for each element of the batch.
            length: rows of each element.
            device: where the batch goes.

        Returns:
            Shape (items, length, \\*row).
        """
        place = np.full((len(items), length), -1)
        file = np.zeros_like(place)
        for element, numbers in enumerate(items):
            rows = [np.arange(self._starts[i], self._starts[i] + self.lengths[i]) for i in numbers]
            count = sum(map(len, rows))
            place[element, :count] = np.concatenate(rows)
            file[element, :count] = np.repeat(self._file[list(numbers)], self.lengths[list(numbers)])
        batch = self._take(file.ravel(), place.clip(min=0).ravel(), device)
        padding = to_device(torch.from_numpy(place < 0), device).view(*place.shape, *[1] * (batch.dim() - 1))
        padded: Tensor = batch.view(*place.shape, *batch.shape[1:]).masked_fill_(padding, 0)
        return padded

    def settle(self, device: torch.device) -> None:
        """Keep every file on a GPU that takes at most a quarter of the GPU's free memory."""
        for number in np.unique(self._file):
            self._files[number].settle(device)

    def _take(self, file: NDArray[np.int64], place: NDArray[np.int64], device: torch.device) -> Tensor:
        """Return rows by their file and their place in it."""
        if len(self._files) == 1:
            return self._files[0].take(place, device)
        numbers = np.unique(file)
        parts = [np.flatnonzero(file == number) for number in numbers]
        taken = [self._files[n].take(place[part], device) for n, part in zip(numbers, parts, strict=True)]
        order = np.argsort(np.concatenate(parts))
        return torch.cat(taken).index_select(0, to_device(torch.from_numpy(order), device))

    def _runs(self) -> Iterator[tuple[int, int, int]]:
        """Yield (file, first row, row behind the last) of arrays that lie one behind the other."""
        ends = self._starts + self.lengths
        joined = (self._file[1:] == self._file[:-1]) & (self._starts[1:] == ends[:-1])
        begins = [0, *(1 + np.flatnonzero(~joined)), len(self)] if len(self) else []
        for begin, behind in pairwise(begins):
            yield int(self._file[begin]), int(self._starts[begin]), int(ends[behind - 1])
