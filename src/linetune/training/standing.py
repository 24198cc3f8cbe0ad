"""How far a run is, for people. It follows from the events of the journal alone, in any process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

TRIAL = "-trial"
"""How the name of a trial of rendered crops ends, which comes before its stage."""
LOSSES = 400
"""Entries of the journal whose losses are kept for the curve."""


@dataclass
class Standing:
    """How far a run is. Times are in seconds, shares are from 0 to 1, and None means not known yet."""

    run: str = ""
    """The name of the run, if a command does several."""
    stages: list[tuple[str, float]] = field(default_factory=list)
    """The names of all stages, and the time that each was expected to take without validation."""
    stage: str = ""
    """The name of the present stage. Empty before the first one and after the last."""
    number: int = 0
    """The place of the present stage in the run, or of the last one, from 1."""
    done: int = 0
    """Stages that are over."""
    epoch: int = 0
    step: int = 0
    length: int = 0
    """Steps of the stage, as far as they are known. 0 before the first entry."""
    losses: list[float] = field(default_factory=list)
    """The last losses of the stage, the newest last."""
    rate: float | None = None
    """The learning rate."""
    speed: float | None = None
    """Crops a second."""
    exact: float | None = None
    """Exact match of the last validation."""
    best: float | None = None
    """Exact match of the best validation of the stage."""
    best_step: int | None = None
    """Its step. None if it is the validation of a trial of learning rates."""
    before: float | None = None
    """Exact match of the model that the stage started from."""
    ended: bool = False
    """Whether the training is over. A model may still be calibrated and exported."""
    clock: Callable[[], float] = time.monotonic
    seconds: float = 0.0
    """Time of the run at the last event."""
    taken: float = 0.0
    """When the last event came, in seconds of ``clock``."""
    _stage_end: float | None = None
    _run_end: float | None = None
    _first: tuple[int, float] | None = None

    def take(self, event: str, figures: Mapping[str, Any]) -> None:
        """Take the next event of the journal. What is no event of a run changes nothing."""
        with suppress(TypeError, ValueError, KeyError, AttributeError, ArithmeticError):
            self.seconds, self.taken = _finite(figures["seconds"]), self.clock()
            self.run = _printable(figures.get("run", ""))
            if event == "plan":
                self._plan(figures)
            elif event == "stage":
                self._begin(figures)
            elif event == "result":
                self._result(figures)
            elif event == "end":
                self.ended, self.stage = True, ""
            elif event == self.stage:
                self._step(figures)
            elif event == f"{self.stage} validation":
                self._validation(figures)
            elif event == f"{self.stage} rate" and figures["kept"]:
                self.best = self.exact = _finite(figures["exact_match"])
            elif event == f"{self.stage.removesuffix(TRIAL)} trial":
                self.done += _finite(figures["after"]) <= _finite(figures["before"])  # the stage is skipped
                self._reset()

    @property
    def task(self) -> str:
        """The name under which a reporter gets the progress of the present stage."""
        return f"{self.run}: stage {self.stage}" if self.run else f"stage {self.stage}"

    @property
    def share(self) -> float:
        """The share of the stage that is done."""
        return min(1.0, self.step / self.length) if self.length else 0.0

    @property
    def stage_left(self) -> float | None:
        """Time that the stage still takes: at the speed until now, validations included."""
        ends = list[float]()
        if self._stage_end is not None:
            ends.append(self._stage_end - self.seconds)
        if self._first is not None and self.step > self._first[0]:
            step, began = self._first
            ends.append((self.seconds - began) / (self.step - step) * max(0, self.length - self.step))
        return max(0.0, min(ends)) if ends else None

    @property
    def run_left(self) -> float | None:
        """Time that all stages still take: for the later ones, what they were expected to take."""
        if not self.stages or self.ended:
            return None
        later = [seconds for _, seconds in self.stages[self.done :]]
        stage = self.stage_left
        if stage is not None and not self.stage.endswith(TRIAL):
            later[:1] = [stage]
        left = sum(later)
        return left if self._run_end is None else max(0.0, min(left, self._run_end - self.seconds))

    @property
    def silent(self) -> float:
        """Time since the last event."""
        return self.clock() - self.taken

    def _plan(self, figures: Mapping[str, Any]) -> None:
        """Begin a run."""
        stages = [(_printable(stage["name"]), _finite(stage["seconds"])) for stage in figures["stages"]]
        end = self._end(figures)
        self._reset()
        self.stages, self.number, self.done, self.before, self.ended = stages, 0, 0, None, False
        self._run_end = end

    def _begin(self, figures: Mapping[str, Any]) -> None:
        """Begin a stage."""
        stage, number, end = _printable(figures["name"]), _count(figures["number"]), self._end(figures)
        self._reset()
        self.stage, self.number, self.done, self._stage_end = stage, number, number - 1, end

    def _end(self, figures: Mapping[str, Any]) -> float | None:
        return None if figures.get("within") is None else self.seconds + _finite(figures["within"])

    def _reset(self) -> None:
        self.stage, self.epoch, self.step, self.length, self.losses = "", 0, 0, 0, []
        self.rate = self.speed = self.exact = self.best = self.best_step = None
        self._stage_end = self._first = None

    def _step(self, figures: Mapping[str, Any]) -> None:
        self.epoch, self.step, self.length = (_count(figures[key]) for key in ("epoch", "step", "length"))
        self.rate, self.speed = _finite(figures["learning_rate"]), _finite(figures["images_per_second"])
        self._first = self._first or (self.step, self.seconds)
        if figures["loss"] is not None:
            self.losses = [*self.losses, _finite(figures["loss"])][-LOSSES:]

    def _validation(self, figures: Mapping[str, Any]) -> None:
        self.exact = _finite(figures["exact_match"])
        if figures["kept"]:
            self.best, self.best_step = self.exact, _count(figures["step"])

    def _result(self, figures: Mapping[str, Any]) -> None:
        """Take the result of a model. Later stages start from the best one so far."""
        name, exact = str(figures["name"]), _finite(figures["val"]["exact_match"])
        if name == f"stage {self.stage}":
            self._reset()  # what follows is no training
            self.done = self.number
        if not name.endswith(", untouched"):
            self.before = exact if self.before is None else max(self.before, exact)


def _finite(value: Any) -> float:
    """Return a number of a journal. ValueError: it is infinite or none."""
    if not math.isfinite(number := float(value)):
        raise ValueError
    return number


def _count(value: Any) -> int:
    return int(_finite(value))


def _printable(text: object) -> str:
    """Return a name of a journal, which may be a stranger's, without control characters."""
    return "".join(c if c.isprintable() else "?" for c in str(text))
