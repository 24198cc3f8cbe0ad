"""What a long run tells whoever watches it. The terminal's version lives in ``report``."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Receives messages and progress."""

    def say(self, text: str) -> None:
        """One line for a person."""

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        """``done`` of ``total`` units of a named task; the task is over when they are equal."""


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        pass

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        pass


class Counter:
    """Turns the increments of a worker into a reporter's progress."""

    def __init__(self, reporter: Reporter, task: str, total: int) -> None:
        self._reporter, self._task, self._total, self._done = reporter, task, total, 0

    def __call__(self, increment: int) -> None:
        self._done += increment
        self._reporter.progress(self._task, self._done, self._total)
