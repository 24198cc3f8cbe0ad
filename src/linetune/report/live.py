"""What a person sees of a command while it runs: the stage of a run, and tasks such as rendering."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from linetune.core.progress import duration
from linetune.training.standing import Standing

BAR = 40
"""Most columns of a bar."""
SHORT = 8
"""Fewest columns of a bar beside its title. A narrower terminal shows the title in a line of its own."""
CURVE = 12
"""Columns of the curve of the loss."""
SILENT = 60.0
"""Seconds without new figures after which the view says so."""


@dataclass
class Task:
    """A task that is not over, and its progress."""

    name: str
    began: float
    done: int = 0
    total: int = 0
    detail: str = ""

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0

    def facts(self, now: float) -> list[str]:
        """Return how far the task is, and its time at a moment in seconds of the board's clock."""
        facts, passed = [], now - self.began
        if self.total != 1:
            facts.append(f"{self.done:,} of {self.total:,}" if self.total else f"{self.done:,}")
        if self.done and self.total:
            facts.append(f"{duration(passed / self.done * (self.total - self.done))} left")
        else:
            facts.append(f"for {duration(passed)}")
        return [*facts, self.detail] if self.detail else facts


@dataclass
class Board:
    """All that there is to see: the standing of a run, and the tasks that are not over.

    Printing it in a rich console draws the view.
    """

    clock: Callable[[], float] = time.monotonic
    standing: Standing = field(default_factory=Standing)
    tasks: dict[str, Task] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.standing.clock = self.clock
        self._since = self.standing.taken = self.clock()

    def progress(self, name: str, done: int, total: int, detail: str = "") -> Task | None:
        """Take the progress of a task. Return the task if it is over now."""
        if name == self.standing.task:  # the standing says more of it
            return None
        task = self.tasks.get(name) or Task(name, self.clock())
        task.done, task.total, task.detail = done, total, detail or task.detail
        if done == total:
            self.tasks.pop(name, None)
            self._since = self.clock()
            return task
        if name != next(reversed(self.tasks), None):  # the last one is the present one
            self.tasks.pop(name, None)
            self.tasks[name] = task
        return None

    def line(self) -> str:
        """Return one line about what is done now."""
        now, standing = self.clock(), self.standing
        if self.tasks:
            task = list(self.tasks.values())[-1]
            return "  ".join([task.name, *task.facts(now)])
        if not standing.stage:
            return self._working()
        place = f"epoch {standing.epoch}, step {standing.step:,} of {standing.length:,}"
        facts = [standing.task, place] if standing.length else [standing.task, "begins"]
        if standing.losses:
            facts.append(f"loss {standing.losses[-1]:.3g}")
        if standing.best is not None:
            facts.append(f"best {standing.best:.1%}")
        if standing.stage_left is not None:
            facts.append(f"{duration(standing.stage_left)} left")
        return "  ".join([*facts, *self._silence()])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Consoles of old Windows have few characters.
        plain, width = options.ascii_only or options.legacy_windows, options.max_width
        for line in self._lines(plain, width):
            yield Text(line, no_wrap=True, overflow="crop" if plain else "ellipsis")

    def _lines(self, plain: bool, width: int) -> Iterator[str]:
        now, standing = self.clock(), self.standing
        if standing.stage:
            yield from _bar(_title(standing), standing.share, _steps(standing), plain, width)
            groups = [_training(standing, plain), _validations(standing), _left(standing)]
            for group in [*groups, [] if self.tasks else self._silence()]:
                yield from packed(group, width)
        # They come from other threads as well.
        for task in list(self.tasks.values()):
            yield from _bar(task.name, task.share, "  ".join(task.facts(now)), plain, width)
        if not standing.stage and not self.tasks:
            yield from packed([self._working(), *_left(standing)], width)

    def _working(self) -> str:
        """Return what to show between two tasks: how long nothing else was to show."""
        return f"working for {duration(self.clock() - max(self._since, self.standing.taken))}"

    def _silence(self) -> list[str]:
        silent = self.standing.silent
        return [f"no new figures for {duration(silent)}"] if silent > SILENT else []


def packed(facts: Iterable[str], width: int) -> Iterator[str]:
    """Yield facts in lines of some columns. A fact is only divided if it is wider than that by itself."""
    line = ""
    for fact in facts:
        if line and cell_len(line) + 2 + cell_len(fact) > width:
            yield line
            line = ""
        line = f"{line}  {fact}" if line else fact
    if line:
        yield line


def curve(values: Sequence[float], columns: int = CURVE) -> str:
    """Return a curve of values in one line, each column the mean of equally many values."""
    columns = min(columns, len(values))
    edges = [len(values) * column // columns for column in range(columns + 1)] if columns else []
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means, default=0), max(means, default=0)
    if not high > low:
        return ""
    return "".join("▁▂▃▄▅▆▇█"[int(7.99 * (mean - low) / (high - low))] for mean in means)


def _bar(title: str, share: float, right: str, plain: bool, width: int) -> Iterator[str]:
    """Yield a title, a bar and what is right of it, in two lines if the terminal is narrow."""
    full, empty = ("#", ".") if plain else ("━", "─")
    columns = min(BAR, width - cell_len(title) - cell_len(right) - 4)
    if columns < SHORT:
        yield title
        title, columns = "", max(0, min(BAR, width - cell_len(right) - 2))
    filled = int(share * columns)
    yield "  ".join(part for part in (title, full * filled + empty * (columns - filled), right) if part)


def _title(standing: Standing) -> str:
    run = f"{standing.run}: " if standing.run else ""
    of = f" of {len(standing.stages)}" if standing.stages else ""
    return f"{run}stage {standing.number}{of}: {standing.stage}"


def _steps(standing: Standing) -> str:
    return f"{standing.step:,} of {standing.length:,} steps" if standing.length else "begins"


def _training(standing: Standing, plain: bool) -> Iterator[str]:
    if not standing.length:
        return
    yield f"epoch {standing.epoch}"
    if standing.losses:
        yield f"loss {standing.losses[-1]:.3g} {'' if plain else curve(standing.losses)}".rstrip()
    if standing.rate is not None:
        yield f"learning rate {standing.rate:.2g}"
    if standing.speed is not None:
        yield f"{standing.speed:,.0f} crops/s"


def _validations(standing: Standing) -> Iterator[str]:
    if standing.exact is not None:
        yield f"validation {standing.exact:.1%} exact"
    if standing.best is not None:
        when = "in a trial" if standing.best_step is None else f"at step {standing.best_step:,}"
        yield f"best {standing.best:.1%} {when}"
    if standing.before is not None:
        yield f"before the stage {standing.before:.1%}"


def _left(standing: Standing) -> Iterator[str]:
    stage, run = standing.stage_left, standing.run_left
    if stage is not None:
        yield f"{duration(stage)} left in the stage"
    if run is not None and run != stage:
        yield f"about {duration(run)} in the run"
