"""What a long run tells whoever watches it. The terminal's version lives in ``report``."""

from __future__ import annotations

from collections.abc import Callable
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


def count(reporter: Reporter, task: str, total: int) -> Callable[[int], None]:
    """A worker's count of what is done, told as the progress of a task."""
    return lambda done: reporter.progress(task, done, total)
