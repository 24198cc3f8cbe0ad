"""How long a stage trains, at what learning rate, and when it is validated.

The training loop asks a schedule before every step and after every validation. A schedule has no memory of
its own. Everything it depends on is in :class:`Progress`. A resumed stage therefore goes on as before.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from linetune.config.schema import Stage
from linetune.core import processes

VALIDATIONS = 4
"""Least number of validations of a stage with a number of epochs, in whole epochs."""
APART = 20
"""Least number of steps between two validations."""
WARMUP = 20
"""Steps in which the rate rises, for a stage without a number of epochs."""
LEAST = 600
"""Least number of steps before validation counts as flat. With few validation crops, the best is partly
luck."""
STORED_EPOCHS = 4
"""Epochs of a stage on stored features that has no length. This costs little, and the long fall of the rate
gives more than waiting for validation to become flat (docs/log.md: 84.2 instead of 82.5 % on cable
markers)."""
EXPECTED = 900
"""Steps in the estimate of a stage that finds its own end: what a few hundred crops needed."""
PATIENCE = 1 / 2
"""Share of all steps without a better validation after which validation is flat. A share is right for few
crops and for many: it waits longer where training takes longer."""
COOLING = 0.25
"""Steps in which the rate falls, relative to the steps before: a fifth of all, as in arXiv 2405.18392."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is: the counts that its schedule depends on."""

    epoch: int = 0
    """The epoch of the last step, from 1."""
    in_epoch: int = 0
    """Steps of this epoch."""
    step: int = 0
    """Steps taken."""
    seen: int = 0
    """Crops seen. A crop counts once for each time it was seen."""
    best_epoch: int = 0
    best_step: int = 0
    best_seen: int = 0
    """The same counts at the best validation."""
    cooling: tuple[int, int] | None = None
    """The step at which the learning rate began to fall, and the number of steps it takes to fall to 0."""
    setbacks: int = 0
    """How often the loss became NaN or infinite. Each time halves the learning rate."""


class Clock:
    """The share of a time budget that has passed.

    Args:
        budget: seconds. None means no limit.
        clock: returns the seconds since any fixed moment.
    """

    def __init__(self, budget: float | None, clock: Callable[[], float]) -> None:
        self._budget, self._clock, self._started = budget, clock, clock()

    def passed(self) -> float:
        """Return the share of the budget that has passed: more than 1 after its end, always 0 without a
        limit."""
        if not self._budget:
            return 0.0
        # All processes of a run must decide alike.
        return processes.from_first((self._clock() - self._started) / self._budget)


class Schedule(Protocol):
    """The course of a stage."""

    def rate(self, at: Progress) -> float:
        """Return the learning rate of the next step."""

    def validates(self, at: Progress) -> bool:
        """Return whether to validate now. Always true at the end."""

    def cooling(self, at: Progress) -> tuple[int, int] | None:
        """Return whether training goes back to the best validation now, and lets the rate fall from there.

        Returns:
            The present step and the number of steps that the rate takes to fall to 0. None: go on as before.
        """

    def ends(self, at: Progress) -> bool:
        """Return whether no step is left."""

    def length(self, at: Progress) -> int:
        """Return the number of all steps, as far as it is known now."""


class InEpochs:
    """A number of epochs: warm-up, then a cosine to 0. With ``patience``, an earlier end.

    Args:
        stage: has the number of epochs.
        peak: the highest learning rate.
        crops: crops in an epoch.
        readings: crops that a validation reads. A crop that is read both ways up counts twice.
    """

    def __init__(self, stage: Stage, peak: float, crops: int, readings: int) -> None:
        assert stage.epochs
        self._peak, self._crops, self._batch = peak, crops, stage.batch_size
        self._epochs, self._patience = stage.epochs, stage.patience
        self._validated = validated_epochs(stage.epochs, crops, readings)
        per_epoch = math.ceil(crops / stage.batch_size)
        self._steps, self._warmup = stage.epochs * per_epoch, stage.warmup_epochs * per_epoch

    def rate(self, at: Progress) -> float:
        # By crops, not by steps: the last batches of an epoch, and batches of long lines, have fewer crops.
        return rate_at(at.seen / self._batch, self._steps, self._warmup, self._peak)

    def validates(self, at: Progress) -> bool:
        epoch, within = divmod(at.seen, self._crops)
        # The trials of learning rates may take more steps than the whole stage.
        return (not within and epoch in self._validated) or epoch >= self._epochs

    def cooling(self, at: Progress) -> None:
        return None

    def ends(self, at: Progress) -> bool:
        return at.seen >= self._epochs * self._crops or (self.validates(at) and self.gave_up(at))

    def gave_up(self, at: Progress) -> bool:
        """Return whether the last ``patience`` epochs brought no better validation."""
        since_best = at.seen // self._crops - at.best_seen // self._crops
        return self._patience is not None and since_best >= self._patience

    def length(self, at: Progress) -> int:
        return max(at.step, round(at.step / max(1, at.seen) * self._epochs * self._crops))


class InSteps:
    """A number of steps: warm-up, then a cosine to 0.

    Args:
        steps: the number of steps.
        peak: the highest learning rate.
        apart: steps between two validations.
        budget: seconds after which the stage ends, with the cosine at 0. None means no limit.
        clock: returns the seconds since any fixed moment.
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

    def rate(self, at: Progress) -> float:
        step = max(at.step, min(1.0, self._clock.passed()) * self._steps)
        return rate_at(step, self._steps, min(WARMUP, self._steps / 2), self._peak)

    def validates(self, at: Progress) -> bool:
        return at.step % self._apart == 0 or self.ends(at)

    def cooling(self, at: Progress) -> None:
        return None

    def ends(self, at: Progress) -> bool:
        return at.step >= self._steps or self._clock.passed() >= 1

    def length(self, at: Progress) -> int:
        return self._steps


class UntilFlat:
    """As many steps as make validation better: warm-up, then a constant rate. When validation is flat,
    training goes back to the best validation, and the rate falls to 0.

    Args:
        peak: the constant rate.
        apart: steps between two validations.
        budget: seconds after which the stage ends. The rate falls in their last fifth. None means no limit.
        clock: returns the seconds since any fixed moment.
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

    def rate(self, at: Progress) -> float:
        rate = warmed(self._peak, at.step)
        if at.cooling is not None:
            start, steps = at.cooling
            rate *= max(0.0, 1 - (at.step - start) / steps)
        return rate * min(1.0, max(0.0, 1 - self._clock.passed()) * (1 + COOLING) / COOLING)

    def validates(self, at: Progress) -> bool:
        return at.step % self._apart == 0 or self.ends(at)

    def cooling(self, at: Progress) -> tuple[int, int] | None:
        if at.cooling is None and at.step >= _flat_at(at):
            return at.step, self._cooling_steps(at)
        return None

    def ends(self, at: Progress) -> bool:
        return at.step >= self.length(at) or self._clock.passed() >= 1

    def length(self, at: Progress) -> int:
        if at.cooling is not None:
            return sum(at.cooling)
        return max(at.step, _flat_at(at)) + self._cooling_steps(at)

    def _cooling_steps(self, at: Progress) -> int:
        """Return the steps in which the rate falls, a multiple of the steps between validations."""
        return self._apart * math.ceil(COOLING * max(at.best_step, LEAST) / self._apart)


def _flat_at(at: Progress) -> int:
    """Return the step at which validation is flat if none before it is better."""
    return max(LEAST, math.ceil(at.best_step / (1 - PATIENCE)))


def schedule_of(
    stage: Stage, peak: float, crops: int, readings: int, budget: float | None = None
) -> Schedule:
    """Return the schedule of a stage.

    Args:
        stage: its length in epochs or in steps, or without a length.
        peak: the highest learning rate.
        crops: crops in an epoch.
        readings: crops that a validation reads. A crop that is read both ways up counts twice.
        budget: seconds that a stage without a number of epochs may take.
    """
    if stage.epochs:
        return InEpochs(stage, peak, crops, readings)
    apart = steps_apart(readings, stage.batch_size)
    steps = stage.steps or (expected_epochs(stage) or 0) * math.ceil(crops / stage.batch_size)
    return InSteps(steps, peak, apart, budget) if steps else UntilFlat(peak, apart, budget)


def expected_epochs(stage: Stage) -> int | None:
    """Return the epochs of a stage. None for a stage that has a number of steps or finds its own end."""
    if stage.epochs or stage.steps:
        return stage.epochs
    return STORED_EPOCHS if "backbone" in stage.freeze else None


def warmed(peak: float, step: float, warmup: float = WARMUP) -> float:
    """Return the rate at a step of a linear warm-up, and ``peak`` after it."""
    return peak * min(1.0, (step + 1) / (math.ceil(warmup) + 1))


def steps_apart(readings: int, batch_size: int) -> int:
    """Return the steps between two validations: at least :data:`APART`.

    Between two validations, training sees at least as many crops as a validation reads. Training on a crop
    takes about as long as three readings. Validation therefore takes at most a quarter of the time.
    """
    return max(APART, math.ceil(readings / batch_size))


def validated_epochs(epochs: int, crops: int, readings: int) -> set[int]:
    """Return the epochs that end with a validation.

    An epoch with fewer crops than a validation reads has no validation of its own: several epochs share one,
    but never more than a quarter of all, rounded up.

    Args:
        epochs: epochs of the stage.
        crops: crops in an epoch.
        readings: crops that a validation reads. A crop that is read both ways up counts twice.
    """
    apart = min(math.ceil(readings / crops), math.ceil(epochs / VALIDATIONS))
    return {*range(apart, epochs + 1, apart), epochs}


def rate_at(step: float, steps: int, warmup: float, peak: float) -> float:
    """Return the rate of a linear warm-up over ``warmup`` steps, then of a cosine that is 0 after
    ``steps``."""
    if step < warmup:
        return warmed(peak, step, warmup)
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1.0, steps - warmup)))
