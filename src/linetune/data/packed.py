"""Arrays of different lengths in one file, of which only what is asked for comes into memory."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import IO

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from linetune.core import cache
from linetune.core.device import free_memory, to_device
from linetune.core.errors import LinetuneError

PIECE = 2**16
"""Rows that are read at a time where all are needed."""


class Packed:
    """Arrays of shape (length, *row) one after the other in a file.

    The file is mapped anew for every access and let go after it: what was read stays in the system's
    cache as long as there is room, but never in this process, however large the data.

    Args:
        file: an open binary file; it is closed when this object goes.
        lengths: each array's number of rows.
        row: shape of a row.
        dtype: of the numbers.
        offset: bytes before the first array.
    """

    def __init__(
        self, file: IO[bytes], lengths: Sequence[int], row: tuple[int, ...], dtype: DTypeLike, offset: int = 0
    ) -> None:
        self.lengths = np.asarray(lengths, np.int64)
        self.starts = np.concatenate(([0], self.lengths.cumsum()))
        self.row, self.dtype = row, np.dtype(dtype)
        self._file, self._offset = file, offset
        self._ones = (1,) * len(row)
        self._resident: Tensor | None = None
        weakref.finalize(self, file.close)

    @classmethod
    def write(cls, arrays: Iterable[NDArray[np.generic]], row: tuple[int, ...], dtype: DTypeLike) -> Packed:
        """Pack arrays of one kind into a file that is gone with the last use of it.

        Raises:
            LinetuneError: the disk is full.
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
            raise LinetuneError(
                f"cannot store crops ({error.strerror})", cache.folder(), cache.HINT
            ) from None
        return cls(file, lengths, row, dtype)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> NDArray[np.generic]:
        """A copy of one array."""
        # Negative numbers too, and an IndexError past the end, as every sequence.
        length, start = self.lengths[index], self.starts[:-1][index]
        return np.array(self._map()[start : start + length])

    @property
    def bytes(self) -> int:
        """Size of all arrays."""
        return int(self.starts[-1]) * int(np.prod(self.row)) * self.dtype.itemsize

    def feed(self, digest: Callable[[memoryview], object]) -> None:
        """Give all there is, lengths and numbers, to a hash, a piece at a time."""
        digest(self.lengths.data)
        for start in range(0, int(self.starts[-1]), PIECE):
            digest(np.array(self._map()[start : start + PIECE]).data)

    def gather(self, items: Sequence[Sequence[int]], length: int, device: torch.device) -> Tensor:
        """A batch: each item's arrays joined and padded with zeros to ``length``, (batch, length, *row)."""
        index = np.full((len(items), length), -1)
        for line, parts in zip(index, items, strict=True):
            rows = np.concatenate([np.arange(self.starts[i], self.starts[i + 1]) for i in parts])
            line[: len(rows)] = rows
        places = index.clip(min=0).ravel()
        if self._resident is None:
            batch = to_device(torch.from_numpy(self._map().take(places, axis=0)), device)
        else:
            batch = self._resident.index_select(0, to_device(torch.from_numpy(places), device))
        padding = to_device(torch.from_numpy(index < 0), device)
        return batch.view(*index.shape, *self.row).masked_fill_(padding.view(*index.shape, *self._ones), 0)

    def settle(self, device: torch.device) -> None:
        """Keep everything on a GPU if it takes no more than a quarter of the memory that is free there."""
        if self._resident is not None or device.type != "cuda":
            return
        if self.bytes < free_memory(device) / 4:
            resident = [
                torch.from_numpy(np.array(self._map()[start : start + PIECE])).to(device)
                for start in range(0, int(self.starts[-1]), PIECE)
            ]
            self._resident = torch.cat(resident)

    def _map(self) -> NDArray[np.generic]:
        shape = (int(self.starts[-1]), *self.row)
        return np.asarray(np.memmap(self._file, self.dtype, "r", self._offset, shape))
