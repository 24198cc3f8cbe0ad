"""A pool of processes that work on chunks of crops."""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

import cv2

from linetune.core.errors import LinetuneError

T = TypeVar("T")

_MAX_WORKERS = 61
"""Windows cannot wait for more processes."""


def in_chunks(
    work: Callable[[range], list[T]], count: int, size: int, workers: int | None
) -> Generator[list[T], None, None]:
    """Yield the results of some work for ranges of numbers, in order.

    Args:
        work: a function of a range that can be pickled.
        count: the end of the numbers, which start at 0.
        size: length of a range.
        workers: number of processes. None means one for each core.

    Raises:
        LinetuneError: a process ended before its work was done.
    """
    chunks = [range(start, min(start + size, count)) for start in range(0, count, size)]
    workers = min(workers or os.cpu_count() or 1, len(chunks), _MAX_WORKERS)
    if workers == 1:
        yield from map(work, chunks)
        return
    # In a file, because it may have a thousand looks. If a process ends at once, as in an unguarded script, a
    # pipe would wait forever for it to read them.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "work")
        path.write_bytes(pickle.dumps(work))
        # Spawned on every system, because a fork would copy the locks of the threads of torch and OpenCV.
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (path,))
        yield from _in_order(pool, chunks, workers)


def _in_order(
    pool: ProcessPoolExecutor, chunks: Sequence[range], workers: int
) -> Generator[list[Any], None, None]:
    try:
        # Only far enough ahead that no worker waits, because early results stay in memory until their turn.
        ahead = deque[Future[list[Any]]]()
        for chunk in chunks:
            with _interrupted_later():
                ahead.append(pool.submit(_do, chunk))
            if len(ahead) > 4 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    except BrokenProcessPool:
        raise LinetuneError(
            "a rendering process ended unexpectedly",
            hint="your own script must be a file, and call linetune below `if __name__ == '__main__':`",
        ) from None
    finally:
        # After Ctrl-C or an error, no other chunk is started.
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Delay Ctrl-C. A process that starts in the meantime never gets it, and prints no traceback."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_work: Callable[[range], list[Any]]
"""The work of a rendering process, which it loads once."""


def _start_worker(path: Path) -> None:
    global _work
    _work = pickle.loads(path.read_bytes())
    # Ctrl-C reaches every process of a terminal. The main process ends the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """End this process when its parent is gone. A killed parent cannot do it."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _do(indices: range) -> list[Any]:
    return _work(indices)
