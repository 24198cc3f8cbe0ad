"""Texts and progress in the terminal, or in a log."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.live import Live

from linetune.core.progress import Reporter, Silent, duration
from linetune.report.live import Board, Task

EVERY = 30.0
"""Seconds between two lines about progress in a log."""
LONG = 10.0
"""Seconds of a task that leaves a line when it is over."""


def console(stderr: bool = False) -> Console:
    """Return a console that prints texts without interpreting them."""
    stream = sys.stderr if stderr else sys.stdout
    # A pipe has no width of its own; a table in a file should not be cut to a screen's.
    width = None if stream.isatty() else 120
    # A label may contain [red] or :key:, which rich would take for a colour and a picture.
    return Console(file=stream, markup=False, emoji=False, highlight=False, soft_wrap=True, width=width)


class Terminal:
    """A reporter that writes messages, and keeps a board of what is done now.

    Args:
        out: gets the messages.
        board: the board.
    """

    def __init__(self, out: Console, board: Board) -> None:
        self._out, self._board = out, board

    def say(self, text: str) -> None:
        self._out.print(text)

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        over = self._board.progress(task, done, total, detail)
        if over and self._board.clock() - over.began >= LONG:
            self.say(_summary(over, self._board.clock()))

    def figures(self, event: str, figures: Mapping[str, Any]) -> None:
        self._board.standing.take(event, figures)


class Log(Terminal):
    """A reporter for a file or a pipe: it writes the time before each line, and now and then what is done.

    Args:
        out: gets the lines.
        board: the board.
        now: returns the time of day.
    """

    def __init__(self, out: Console, board: Board, now: Callable[[], datetime] = datetime.now) -> None:
        super().__init__(out, board)
        self._now, self._last = now, board.clock()
        self._closed = threading.Event()

    def say(self, text: str) -> None:
        super().say(f"{self._now():%H:%M:%S}  {text}")

    def poll(self) -> None:
        """Write what is done now, if the last such line is :data:`EVERY` seconds old."""
        if self._board.clock() - self._last >= EVERY:
            self._last = self._board.clock()
            self.say(self._board.line())

    @contextmanager
    def open(self) -> Iterator[Log]:
        """Poll in a thread while the block runs."""

        def work() -> None:
            while not self._closed.wait(1.0):
                self.poll()

        thread = threading.Thread(target=work, name="progress", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._closed.set()
            thread.join()


@contextmanager
def terminal(quiet: bool = False) -> Iterator[Reporter]:
    """Open a reporter on standard error: a live view in a terminal, lines with a time elsewhere.

    Args:
        quiet: show nothing.
    """
    if quiet:
        yield Silent()
        return
    out, board = console(stderr=True), Board()
    if not out.is_terminal or out.is_dumb_terminal:
        with Log(out, board).open() as log:
            yield log
        return
    with Live(board, console=out, transient=True, refresh_per_second=4):
        yield Terminal(out, board)


def _summary(task: Task, now: float) -> str:
    size = f"{task.total:,} in " if task.total > 2 else ""
    return f"{task.name}: {size}{duration(now - task.began)}"
