"""Progress bars and tables in the terminal, in whatever encoding it has."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    # A progress bar needs no torch.
    from linetune.evaluation.metrics import Score
    from linetune.training.result import RunResult

FEW = 100
"""Validation crops below which the best of many epochs looks points better than it is."""


def console(stderr: bool = False) -> Console:
    """A console that prints texts as they are."""
    stream = sys.stderr if stderr else sys.stdout
    # A pipe has no width of its own; a table in a file should not be cut to a screen's.
    width = None if stream.isatty() else 120
    # Labels hold anything: [red] is no colour here, and :key: no picture.
    return Console(file=stream, markup=False, emoji=False, highlight=False, soft_wrap=True, width=width)


@dataclass
class Terminal:
    """A reporter that shows messages and one progress bar a task, on standard error."""

    console: Console
    bars: Progress
    tasks: dict[str, TaskID]

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
    """Shows what a long command does while it lasts."""
    shown = console(stderr=True)
    columns = (
        TextColumn("{task.description:<22}", markup=False),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True, compact=True),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    with Progress(*columns, console=shown, disable=not shown.is_terminal) as bars:
        yield Terminal(shown, bars, {})


def run_table(result: RunResult) -> Table:
    """All models of a run side by side; the one that was kept is marked."""
    # Narrow enough for 80 columns: no lines between the columns, the base model named once.
    table = Table(caption=_caption(result), box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    base = result.rows[0].name.rpartition(", ")[0]
    table.add_column(base)
    tested = result.rows[0].test is not None
    for name in ("val exact", "CER", *(("test exact", "CER") if tested else ()), "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in result.rows:
        kept = row.name == result.best
        figures = [*_figures(row.val), *(_figures(row.test) if row.test else ())]
        seconds = f"{row.seconds:.0f}" if row.seconds else "-"
        style = "bold" if kept else None
        name = row.name.removeprefix(f"{base}, ") + (" *" if kept else "")
        table.add_row(name, *figures, seconds, style=style)
    return table


def run_lines(result: RunResult) -> Iterator[str]:
    """What the figures come to: whether the gain is beyond chance, and what was forgotten."""
    names = {"val": "validation (which chose the model)", "test": "test"}
    for name, compared in result.gain.items():
        yield f"{names[name]}: {compared.sentence('the limited base model', result.best)}"
    first = result.rows[0]
    if result.helped and first.val.lines < FEW:
        way_out = "the test figure does not" if first.test else "data.test would give one that does not"
        yield (
            f"validation: {first.val.lines} crops chose the epoch and the stage, so their figure flatters "
            f"the kept model; {way_out}"
        )
    if first.val.exact_match > result.kept.val.exact_match:
        yield (
            "validation: the untouched model reads more, with characters that this run's charset lacks; "
            "charset: FILE can name them"
        )
    general = result.general
    yield f"general reading left out: {general}" if isinstance(general, str) else general.sentence()


def _figures(score: Score) -> tuple[str, str]:
    return score.as_text(), f"{score.cer:.1%}"


def _caption(result: RunResult) -> str:
    first = result.rows[0]
    sizes = f"{first.val.lines} validation" + (
        f" and {first.test.lines} test crops" if first.test else " crops"
    )
    return f"{sizes}; (in brackets) 95% interval; * kept, chosen on validation"
