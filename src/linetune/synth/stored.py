"""Rendered crops in the cache: a run that is resumed or repeated does not render them again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

import numpy as np

from linetune.core import atomic, cache, processes
from linetune.core.errors import os_errors
from linetune.core.image import HEIGHT, Crop

SUFFIX = ".crops"
KEEP = 8 * 2**30
"""Largest size of all rendered crops in the cache, bytes."""
HASH = 16
"""Bytes of the hash at the end of a file."""
WIDTH = 4
"""Bytes of the width before each crop."""

Render = Callable[[int], Iterator[Crop]]
"""Renders all crops from a number on."""


def with_store(render: Render, count: int, depends_on: bytes, files: Sequence[Path]) -> Iterator[Crop]:
    """Yield crops from the cache, and render those that it lacks. Then the cache has all of them.

    Args:
        render: renders all crops from a number on, 48 px high.
        count: the number of crops.
        depends_on: everything else that the crops depend on.
        files: fonts and photos that the crops depend on. They count by path, size and time.

    Raises:
        LinetuneError: the cache cannot be written, for example because the disk is full.
    """
    key = hashlib.blake2b(depends_on, digest_size=HASH)
    for name in files:
        about = name.stat()
        key.update(f"{name}:{about.st_size}:{about.st_mtime_ns}".encode())
    path = cache.folder() / f"{key.hexdigest()}{SUFFIX}"
    # All processes of a run read equally many.
    stored = min(processes.everywhere(_complete(path)))
    if stored >= count:
        with suppress(OSError):  # the file may belong to another user
            path.touch()
        yield from _read(path, count)
        return
    with os_errors("cannot store rendered crops", path, cache.HINT):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.written(path) as partial, partial.open("wb") as file:
            written = _write(file, _joined(path, stored, render))
            # The file must be complete before the last crop is handed out: nobody may ask for more.
            last = next(written)
            for crop in written:
                yield last
                last = crop
        cache.prune(SUFFIX, KEEP, spare=path)
    yield last


def _joined(path: Path, stored: int, render: Render) -> Iterator[Crop]:
    """Yield the stored crops, and then those that are rendered now."""
    if stored:
        yield from _read(path, stored)
    yield from render(stored)


def _write(file: IO[bytes], crops: Iterator[Crop]) -> Iterator[Crop]:
    """Write and yield crops: the width of each, its pixels, and at the end their number and a hash."""
    digest, number = hashlib.blake2b(digest_size=HASH), 0
    for crop in crops:
        record = crop.shape[1].to_bytes(WIDTH, "little") + np.ascontiguousarray(crop).tobytes()
        digest.update(record)
        file.write(record)
        number += 1
        yield crop
    file.write(number.to_bytes(WIDTH, "little") + digest.digest())


def _complete(path: Path) -> int:
    """Return the number of crops in a file: 0 if there is no file, or if it is damaged."""
    end = WIDTH + HASH
    try:
        with path.open("rb") as file:
            left = os.fstat(file.fileno()).st_size - end
            digest = hashlib.blake2b(digest_size=HASH)
            while left > 0 and (piece := file.read(min(left, 2**22))):
                digest.update(piece)
                left -= len(piece)
            number, found = int.from_bytes(file.read(WIDTH), "little"), file.read(HASH)
    except OSError:
        return 0
    return number if left == 0 and found == digest.digest() else 0


def _read(path: Path, count: int) -> Iterator[Crop]:
    """Yield the first crops of a complete file."""
    with closing(path.open("rb")) as file:
        for _ in range(count):
            width = int.from_bytes(file.read(WIDTH), "little")
            pixels = file.read(HEIGHT * width * 3)
            yield np.frombuffer(pixels, np.uint8).reshape(HEIGHT, width, 3).copy()
