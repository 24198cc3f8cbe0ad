"""How long a stage trains, at what learning rate, and where it is validated.

A schedule is asked before every step and told after every validation, so that it can end where training
no longer helps. The loop in ``stage`` knows nothing else of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from linetune.config.schema import Stage

VALIDATIONS = 4
"""Parts of a stage, in whole epochs rounded up, after each of which it is validated at the latest."""
APART = 20
"""Fewest steps between two validations."""
WARMUP = 20
"""Steps over which the rate rises, where no epochs are given."""
LEAST = 600
"""Steps before which no plateau is looked for: with few validation crops the best of them is luck."""
STORED_EPOCHS = 4
"""Times that crops are seen whose features are stored, where nobody says how long. So much costs little, and
the long fall of the rate gives more than a plateau (docs/log.md: 84.2 for 82.5 % on cable markers)."""
EXPECTED = 900
"""Steps told beforehand where nobody says how many: what few hundred crops took until validation was flat."""
PATIENCE = 1 / 2
"""Share of all steps so far without a better validation that makes a plateau. A share, not a number, waits
longer where training is longer, so that few crops and many need no settings of their own."""
COOLING = 0.25
"""Steps of the falling rate, relative to those before it: a fifth of all, as in arXiv 2405.18392."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a stage has come."""

    step: int
    """Steps taken."""
    seen: int
    """Crops seen, each as often as it came."""


class Clock:
    """How much of a time is spent.

    Args:
        budget: seconds; None where there is no end of them.
        clock: seconds since whenever.
    """

    def __init__(self, budget: float | None, clock: Callable[[], float]) -> None:
        self._budget, self._clock, self._started = budget, clock, clock()

    def spent(self) -> float:
        """Share of the budget, over 1 when it is exceeded; 0 where there is none."""
        return (self._clock() - self._started) / self._budget if self._budget else 0.0


class Schedule(Protocol):
    """A stage's course."""

    def rate(self, at: Position) -> float:
        """The learning rate of the next step."""

    def due(self, at: Position) -> bool:
        """Whether to validate now; always true at the end."""

    def judged(self, at: Position, better: bool) -> None:
        """Take note of a validation: whether it is the best so far."""

    def turns_back(self) -> bool:
        """Whether to go back, now and once, to what the best validation read with."""

    def ended(self, at: Position) -> bool:
        """Whether no step is left."""

    def length(self, at: Position) -> int:
        """Steps from the start to the end, as far as can be told now."""


class InEpochs:
    """A given number of epochs: warm-up, then a cosine to 0; with ``patience``, an early end.

    Args:
        stage: says how many epochs.
        peak: the highest learning rate.
        crops: of an epoch.
        readings: of a validation.
    """

    def __init__(self, stage: Stage, peak: float, crops: int, readings: int) -> None:
        assert stage.epochs
        self._peak, self._crops, self._batch = peak, crops, stage.batch_size
        self._epochs, self._patience = stage.epochs, stage.patience
        self._due = validated_epochs(stage.epochs, crops, readings)
        per_epoch = math.ceil(crops / stage.batch_size)
        self._steps, self._warmup = stage.epochs * per_epoch, stage.warmup_epochs * per_epoch
        self._best = 0
        self.gave_up = False
        """Whether patience ended it."""

    def rate(self, at: Position) -> float:
        # By crops, not by steps: an epoch's last batches are smaller, and those of long lines as well.
        return rate_at(at.seen / self._batch, self._steps, self._warmup, self._peak)

    def due(self, at: Position) -> bool:
        epoch, within = divmod(at.seen, self._crops)
        return not within and epoch in self._due

    def judged(self, at: Position, better: bool) -> None:
        epoch = at.seen // self._crops
        if better:
            self._best = epoch
        self.gave_up = bool(self._patience) and epoch - self._best >= (self._patience or 0)

    def turns_back(self) -> bool:
        return False

    def ended(self, at: Position) -> bool:
        return self.gave_up or at.seen >= self._epochs * self._crops

    def length(self, at: Position) -> int:
        return max(at.step, round(at.step / max(1, at.seen) * self._epochs * self._crops))


class InSteps:
    """A number of steps: warm-up, then a cosine to 0.

    Args:
        steps: how many.
        peak: the highest learning rate.
        apart: steps between two validations.
        budget: seconds after which the stage has to be over, with the cosine at its end; None for as
            many as it takes.
        clock: seconds since whenever.
    """

    def __init__(
        self,
        steps: int,
        peak: float,
        apart: int,
        budget: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._steps, self._peak, self._apart = steps, peak, apart
        self._clock = Clock(budget, clock)

    def rate(self, at: Position) -> float:
        step = max(at.step, min(1.0, self._clock.spent()) * self._steps)
        return rate_at(step, self._steps, min(WARMUP, self._steps / 2), self._peak)

    def due(self, at: Position) -> bool:
        return at.step % self._apart == 0 or self.ended(at)

    def judged(self, at: Position, better: bool) -> None:
        pass

    def turns_back(self) -> bool:
        return False

    def ended(self, at: Position) -> bool:
        return at.step >= self._steps or self._clock.spent() >= 1

    def length(self, at: Position) -> int:
        return self._steps


class UntilFlat:
    """As long as validation gets better: warm-up, a constant rate, and once it is flat back to the best, from
    where the rate falls to 0.

    Args:
        peak: the constant rate.
        apart: steps between two validations.
        budget: seconds after which the stage has to be over, with the rate falling in the last fifth of them;
            None for as many as it takes.
        clock: seconds since whenever.
    """

    def __init__(
        self,
        peak: float,
        apart: int,
        budget: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._peak, self._apart = peak, apart
        self._clock = Clock(budget, clock)
        self._best = 0
        self._flat: int | None = None
        self._turn = False

    def rate(self, at: Position) -> float:
        rate = warmed(self._peak, at.step)
        if self._flat is not None:
            rate *= max(0.0, 1 - (at.step - self._flat) / self._cooling)
        return rate * min(1.0, max(0.0, 1 - self._clock.spent()) * (1 + COOLING) / COOLING)

    def due(self, at: Position) -> bool:
        return at.step % self._apart == 0 or self.ended(at)

    def judged(self, at: Position, better: bool) -> None:
        if self._flat is not None:
            return
        if better:
            self._best = at.step
        self._turn = at.step >= self._flat_at
        if self._turn:
            self._flat = at.step

    def turns_back(self) -> bool:
        turn, self._turn = self._turn, False
        return turn

    def ended(self, at: Position) -> bool:
        return at.step >= self.length(at) or self._clock.spent() >= 1

    def length(self, at: Position) -> int:
        flat = max(at.step, self._flat_at) if self._flat is None else self._flat
        return flat + self._cooling

    @property
    def _flat_at(self) -> int:
        """The step from which validation is flat, unless it gets better before."""
        return max(LEAST, math.ceil(self._best / (1 - PATIENCE)))

    @property
    def _cooling(self) -> int:
        """Steps of the falling rate, in whole validations."""
        return self._apart * math.ceil(COOLING * max(self._best, LEAST) / self._apart)


def schedule_of(
    stage: Stage, peak: float, crops: int, readings: int, budget: float | None = None
) -> Schedule:
    """The schedule that a stage asks for.

    Args:
        stage: its length in epochs or in steps, or neither.
        peak: the highest learning rate.
        crops: of an epoch.
        readings: of a validation; two a crop where crops are read both ways up.
        budget: seconds that it may take, where it finds its end by itself.
    """
    if stage.epochs:
        return InEpochs(stage, peak, crops, readings)
    apart = steps_apart(readings, stage.batch_size)
    steps = stage.steps or (expected_epochs(stage) or 0) * math.ceil(crops / stage.batch_size)
    return InSteps(steps, peak, apart, budget) if steps else UntilFlat(peak, apart, budget)


def expected_epochs(stage: Stage) -> int | None:
    """Epochs that a stage takes, by itself or by default; None where steps are given or the end is found."""
    if stage.epochs or stage.steps:
        return stage.epochs
    return STORED_EPOCHS if "backbone" in stage.freeze else None


def warmed(peak: float, step: float, warmup: float = WARMUP) -> float:
    """A constant rate after a linear warm-up."""
    return peak * min(1.0, (step + 1) / (math.ceil(warmup) + 1))


def steps_apart(readings: int, batch_size: int) -> int:
    """Steps between two validations: as many crops as a validation has readings, and :data:`APART` at least.

    A crop to train on costs about three readings, so that validation takes a quarter of the time at most.
    """
    return max(APART, math.ceil(readings / batch_size))


def validated_epochs(epochs: int, crops: int, readings: int) -> set[int]:
    """The epochs that end with a validation: all, where an epoch has as many crops as a validation readings.

    A crop to train on costs about three readings. Where an epoch has fewer crops, several pass between two
    validations, but never more than a quarter of all, rounded up.

    Args:
        epochs: of the stage.
        crops: of an epoch.
        readings: of a validation; two a crop where crops are read both ways up.
    """
    apart = min(math.ceil(readings / crops), math.ceil(epochs / VALIDATIONS))
    return {*range(apart, epochs + 1, apart), epochs}


def rate_at(step: float, steps: int, warmup: float, peak: float) -> float:
    """Linear warm-up over ``warmup`` steps, then a cosine that ends at 0 with the last of ``steps``."""
    if step < warmup:
        return warmed(peak, step, warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, steps - warmup)))
