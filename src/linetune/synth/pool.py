"""Work on chunks of crops, by as many processes as there are cores."""

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
"""Windows cannot wait for more."""


def in_chunks(
    work: Callable[[range], list[T]], count: int, size: int, workers: int | None
) -> Generator[list[T], None, None]:
    """What some work gives for one range of numbers after the other, in order.

    Args:
        work: it can be pickled.
        count: the numbers run from 0 to it.
        size: of a range.
        workers: processes; as many as there are cores when ``None``.

    Raises:
        LinetuneError: a process ended before its work was done.
    """
    chunks = [range(start, min(start + size, count)) for start in range(0, count, size)]
    workers = min(workers or os.cpu_count() or 1, len(chunks), _MAX_WORKERS)
    if workers == 1:
        yield from map(work, chunks)
        return
    # By file, since it may hold a thousand looks: where a process ends at once, as in a script that calls
    # unguarded, it would be waited for forever to take what does not fit into its pipe.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "work")
        path.write_bytes(pickle.dumps(work))
        # Spawned on every system: a fork would copy the locks of torch's and OpenCV's threads.
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (path,))
        yield from _in_order(pool, chunks, workers)


def _in_order(
    pool: ProcessPoolExecutor, chunks: Sequence[range], workers: int
) -> Generator[list[Any], None, None]:
    try:
        # Only so far ahead that no worker waits: what is done early stays in memory until its turn.
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
            hint="a script of your own must be a file, and call linetune below `if __name__ == '__main__':`",
        ) from None
    finally:
        # After Ctrl-C or an error, no further chunk is begun.
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Ctrl-C waits, and a process that starts meanwhile never sees it: it would print where it was."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_work: Callable[[range], list[Any]]
"""What a rendering process does; given to it once."""


def _start_worker(path: Path) -> None:
    global _work
    _work = pickle.loads(path.read_bytes())
    # Ctrl-C reaches every process of a terminal; the first one ends the pool.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    """A parent that was killed can end nobody."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _do(indices: range) -> list[Any]:
    return _work(indices)
