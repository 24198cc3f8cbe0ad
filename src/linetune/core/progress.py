"""Messages and progress of long operations. ``report.terminal`` shows them in the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol


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

    def figures(self, event: str, figures: Mapping[str, Any]) -> None:
        """Show the figures of one event of a run's journal.

        Args:
            event: such as ``real validation``.
            figures: numbers, and what describes them.
        """


class Silent:
    """A reporter that shows nothing."""

    def say(self, text: str) -> None:
        pass

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        pass

    def figures(self, event: str, figures: Mapping[str, Any]) -> None:
        pass


def count(reporter: Reporter, task: str, total: int) -> Callable[[int], None]:
    """Return a function that takes the number of units done and reports it as the progress of a task."""
    return lambda done: reporter.progress(task, done, total)


def duration(seconds: float) -> str:
    """Return a time for people: ``3 h 5 min``, ``12 min`` or ``40 s``."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
