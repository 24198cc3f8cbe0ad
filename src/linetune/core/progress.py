"""Messages and progress of long operations. ``report.terminal`` shows them in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Reporter(Protocol):
    """An object that receives messages and progress."""

    def say(self, text: str) -> None:
        """Show a message of one line."""

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        """Show that ``done`` of ``total`` units of a task are done. The task ends when both are equal.

        Args:
            task: the name of the task.
            done: units done so far.
            total: all units; 0 if their number is unknown.
            detail: a short text to show beside the progress; an empty one leaves the last detail.
        """


class Silent:
    """A reporter that shows nothing."""

    def say(self, text: str) -> None:
        pass

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        pass


def count(reporter: Reporter, task: str, total: int) -> Callable[[int], None]:
    """Return a function that takes the number of units done and reports it as the progress of a task."""
    return lambda done: reporter.progress(task, done, total)
