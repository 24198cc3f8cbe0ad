"""Ctrl-C and SIGTERM while something has to be finished. Only the main thread gets signals."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def ignored() -> Iterator[None]:
    """Finish the block whatever torchrun, or somebody who presses Ctrl-C twice, sends."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def delayed() -> Iterator[None]:
    """Finish the block before a signal counts, also if the block ends with an error.

    For libraries in other languages that call Python. They turn the KeyboardInterrupt into an error of their
    own, and an interruption would look like a damaged file.
    """
    came = list[int]()
    try:
        with _handled(lambda number, _frame: came.append(number)):
            yield
    finally:
        if came:
            signal.raise_signal(came[0])


@contextmanager
def _handled(handler: Callable[[int, Any], None] | signal.Handlers) -> Iterator[None]:
    main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if main else ()
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
