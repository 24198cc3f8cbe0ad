"""Read LMDB files without the library lmdb, which trusts every number in a file and crashes on damaged ones.

A file is a tree of pages. A branch page has the first keys of the pages below, a leaf page has keys and
values, and a large value has pages of its own (lmdb.h and mdb.c of LMDB 0.9, data version 1).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from linetune.core.untrusted import refuse_pipe

_META = struct.Struct("<16xII16x")
"""Magic number and version behind the header of a meta page, before the two trees."""
_TREE = struct.Struct("<IHHQQQQQ")
"""Of a tree: page size, flags, depth, three counts of pages, number of entries, and its first page."""
_PAGE = struct.Struct("<8xHHHH")
"""Of a page: padding, flags, and the end of its list of nodes."""
_NODE = struct.Struct("<HHHH")
"""Of a node: two halves of a size or of a page, flags or the rest of the page, and the length of the key."""
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _LARGE = 1, 2, 1
_DEEPEST = 32
"""Most levels of a tree, as in LMDB itself."""
_PAGE_SIZES = tuple(2**power for power in range(9, 17))
_HEADER = 16
"""Bytes of the header of a page."""


class DamagedError(Exception):
    """A file that is not LMDB, or that contradicts itself."""


class _Node(NamedTuple):
    """One entry of a page."""

    key: bytes
    page: int
    """The page below, of a branch."""
    start: int
    """Where the value is on the page, of a leaf."""
    size: int
    large: bool


class Store:
    """An LMDB file that is open for reading.

    Args:
        path: the file, or the folder with its ``data.mdb``.
        most: bytes of the largest value that is read.

    Raises:
        DamagedError: the file is not LMDB, or is shorter than it says.
        LinetuneError: the file is a pipe.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path, most: int) -> None:
        self._most = most
        file_path = path / "data.mdb" if path.is_dir() else path
        refuse_pipe(file_path)
        with file_path.open("rb") as file:
            try:
                self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError:
                raise DamagedError("the file is empty") from None
        try:
            trees = self._newest()
        except struct.error:
            raise DamagedError("the file is too short") from None
        self.entries: int = trees[6]
        """Number of keys."""
        self._root: int = trees[7]

    def close(self) -> None:
        """Close the file."""
        self._data.close()

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key. None if the store does not have the key.

        Raises:
            DamagedError: the file contradicts itself, or the value is too large.
        """
        try:
            return self._get(key)
        except (struct.error, IndexError):
            raise DamagedError("a page points outside the file") from None

    def _newest(self) -> Sequence[int]:
        """Return the main tree of the newer of the two meta pages."""
        first = self._meta(0)
        second = self._meta(self._size)
        return max((meta for meta in (first, second) if meta), key=lambda meta: meta[0])[1]

    def _meta(self, at: int) -> tuple[int, Sequence[int]]:
        magic, version = _META.unpack_from(self._data, at)
        if magic != _MAGIC or version != _VERSION:
            raise DamagedError("not the first bytes of LMDB")
        free = _TREE.unpack_from(self._data, at + _META.size)
        main = _TREE.unpack_from(self._data, at + _META.size + _TREE.size)
        _, number = struct.unpack_from("<QQ", self._data, at + _META.size + 2 * _TREE.size)
        if at == 0:
            self._size = free[0]
        if self._size not in _PAGE_SIZES:
            raise DamagedError("an impossible page size")
        return number, main

    def _get(self, key: bytes) -> bytes | None:
        page = self._root
        if page == 2**64 - 1:  # an empty store
            return None
        for _ in range(_DEEPEST):
            at = page * self._size
            if at + self._size > len(self._data):
                raise DamagedError("a page is missing at the end of the file")
            _, flags, end, _ = _PAGE.unpack_from(self._data, at)
            count = (end - _HEADER) // 2
            if not 0 < count <= (self._size - _HEADER) // 2:
                raise DamagedError("a page without a list of nodes")
            if flags & _LEAF:
                return self._value(key, at, count)
            if not flags & _BRANCH:
                raise DamagedError("a page of an unknown kind")
            # The first node of a branch has no key: it is below all others.
            low, high = 0, count - 1
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (middle, high) if self._node(at, middle).key <= key else (low, middle - 1)
            page = self._node(at, low).page
        raise DamagedError("its tree is too deep")

    def _value(self, key: bytes, at: int, count: int) -> bytes | None:
        low, high = 0, count - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._node(at, middle).key < key else (low, middle)
        node = self._node(at, low)
        if node.key != key:
            return None
        if node.size > self._most:
            raise DamagedError(f"a value of more than {self._most >> 20} MiB")
        start = node.start
        if node.large:
            start = struct.unpack_from("<Q", self._data, start)[0] * self._size + _HEADER
        value = self._data[start : start + node.size]
        if len(value) < node.size:
            raise DamagedError("a value is cut off at the end of the file")
        return value

    def _node(self, at: int, number: int) -> _Node:
        """Return a node of the page that starts at a position."""
        offset = struct.unpack_from("<H", self._data, at + _HEADER + 2 * number)[0]
        if not _HEADER <= offset <= self._size - _NODE.size:
            raise DamagedError("a node outside its page")
        low, high, flags, length = _NODE.unpack_from(self._data, at + offset)
        start = at + offset + _NODE.size
        if offset + _NODE.size + length > self._size:
            raise DamagedError("a key outside its page")
        key = self._data[start : start + length]
        page = low | high << 16 | flags << 32
        return _Node(key, page, start + length, low | high << 16, bool(flags & _LARGE))
