"""Text and progress bars in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


def console(stderr: bool = False) -> Console:
    """Return a console that prints texts without interpreting them."""
    stream = sys.stderr if stderr else sys.stdout
    # A pipe has no width of its own; a table in a file should not be cut to a screen's.
    width = None if stream.isatty() else 120
    # A label may contain [red] or :key:, which rich would take for a colour and a picture.
    return Console(file=stream, markup=False, emoji=False, highlight=False, soft_wrap=True, width=width)


@dataclass
class Terminal:
    """A reporter that shows messages and a progress bar for each task."""

    bars: Progress
    tasks: dict[str, TaskID] = field(default_factory=dict)

    def say(self, text: str) -> None:
        self.bars.console.print(text)

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        if task not in self.tasks:
            self.tasks[task] = self.bars.add_task(task, total=total or None, detail="")
        self.bars.update(self.tasks[task], completed=done, total=total or None)
        if detail:
            self.bars.update(self.tasks[task], detail=detail)
        if done == total:
            self.bars.stop_task(self.tasks[task])


@contextmanager
def terminal() -> Iterator[Terminal]:
    """Open a reporter on standard error. Its bars only appear if that is a terminal."""
    stderr = console(stderr=True)
    columns = (
        TextColumn("{task.description:<22}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True, compact=True),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    with Progress(*columns, console=stderr, disable=not stderr.is_terminal) as bars:
        yield Terminal(bars)
