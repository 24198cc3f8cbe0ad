"""Runs work on chunks of numbers in several processes."""

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

from linetune.core import processes
from linetune.core.errors import LinetuneError

T = TypeVar("T")

_MAX_WORKERS = 61
"""Largest number of processes that Python can wait for on Windows."""


def map_chunks(
    work: Callable[[range], list[T]], count: int, size: int, workers: int | None, first: int = 0
) -> Generator[list[T], None, None]:
    """Divide the numbers from ``first`` to ``count`` - 1 into ranges. Yield the result for each, in order.

    Args:
        work: gets a range. It must be picklable.
        count: how many numbers there are.
        size: numbers in a range. The last one may be shorter.
        workers: number of processes, by default one for each core.
        first: the first number.

    Raises:
        LinetuneError: a process ended before its work was done.
    """
    chunks = [range(start, min(start + size, count)) for start in range(first, count, size)]
    # Where several processes do one run, each renders its share.
    yield from processes.in_turns(_map_own(work, chunks[processes.own()], workers), len(chunks))


def _map_own(
    work: Callable[[range], list[T]], chunks: Sequence[range], workers: int | None
) -> Iterator[list[T]]:
    """Yield the results of all chunks of this process, in order."""
    workers = min(workers or max(1, (os.cpu_count() or 1) // processes.size()), len(chunks), _MAX_WORKERS)
    if workers <= 1:
        yield from map(work, chunks)
        return
    # The work may contain a thousand looks, more than fits into a pipe. If a process ends at once, as in a
    # script without a __main__ guard, writing to its pipe would block forever. We therefore use a file.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "work")
        path.write_bytes(pickle.dumps(work))
        # A forked process would copy the locks of torch's and OpenCV's threads, so all are spawned.
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (path,))
        yield from _in_order(pool, chunks, workers)


def _in_order(
    pool: ProcessPoolExecutor, chunks: Sequence[range], workers: int
) -> Generator[list[Any], None, None]:
    """Yield the results of all chunks, and end the pool.

    Raises:
        LinetuneError: a process ended before its work was done.
    """
    try:
        # Finished results wait in memory. The number of chunks that run ahead is therefore limited, but large
        # enough to keep the workers busy.
        pending = deque[Future[list[Any]]]()
        for chunk in chunks:
            with _ctrl_c_delayed():
                pending.append(pool.submit(_run_work, chunk))
            if len(pending) > 4 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool:
        raise LinetuneError(
            "a rendering process ended unexpectedly",
            hint="your own script must be a file that calls linetune below `if __name__ == '__main__':`",
        ) from None
    finally:
        # After Ctrl-C or an error, no other chunk starts.
        pool.shutdown(cancel_futures=True)


@contextmanager
def _ctrl_c_delayed() -> Iterator[None]:
    """Delay Ctrl-C until the block ends. A process that starts inside the block never gets it.

    A process that got it before :func:`_start_worker` would print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_work: Callable[[range], list[Any]]
"""The work of this process, if it is a worker."""


def _start_worker(path: Path) -> None:
    global _work
    _work = pickle.loads(path.read_bytes())
    # A terminal sends Ctrl-C to every process. The parent ends the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """End this process when its parent ends: a killed parent cannot do it."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _run_work(indices: range) -> list[Any]:
    return _work(indices)
