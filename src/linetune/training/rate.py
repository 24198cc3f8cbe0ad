"""The learning rate of a stage, found by short trials.

The right rate depends on what the network reads already. Where the base model reads most crops, a high rate
first undoes what it can do. Where it reads few, a low rate takes many times as long. A short trial shows
which case it is (docs/recipe.md has the measurements).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

from linetune.config.schema import Stage
from linetune.core import processes
from linetune.models.network import Network
from linetune.training.batches import Batches, endless
from linetune.training.schedule import warmed
from linetune.training.state import Validation
from linetune.training.trainer import Trainer

RATES = (1.5e-5, 4.5e-5, 1.35e-4)
"""Rates to try where everything trains."""
FROZEN_RATES = (1e-4, 3e-4, 1e-3)
"""Rates to try where the backbone is frozen."""
CLEARLY = 0.01
"""How much more probable a higher rate must make the validation labels, on average. A rate that is too high
costs more than one that is too low: on cable markers, 4.5e-5 won a trial by 0.4 points, and read fewer crops
at the end (docs/log.md)."""
STEPS = 60
"""Steps of a trial: more than the warm-up, and more than the averaged weights remember at that point."""
SHARE = 0.3
"""Largest share of a stage's time for finding its rate."""


def rates_for(stage: Stage) -> Sequence[float]:
    """Return the rates to try."""
    return FROZEN_RATES if "backbone" in stage.freeze else RATES


def trial_steps(stage: Stage) -> int:
    """Return the steps of all trials except the best one, whose steps count."""
    return STEPS * (len(rates_for(stage)) - 1) if stage.learning_rate is None else 0


def find_rate(
    trainer: Trainer,
    batches: Batches,
    validate: Callable[[Network], Validation],
    rates: Sequence[float],
    budget: float | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[float, Validation]:
    """Take a few steps at each rate, from the same start on the same crops, and continue from the best.

    The best rate is the one after which the validation labels are most probable. A higher rate must be better
    by :data:`CLEARLY`. The best rate becomes the peak of the trainer's state, which keeps its steps. With a
    budget, only as many rates are tried as fit into :data:`SHARE` of it. Where not even the first one fits,
    it takes fewer steps.

    Args:
        trainer: takes the steps.
        batches: the crops.
        validate: reads the validation crops with a network.
        rates: the rates to try, the lowest first.
        budget: seconds that the stage may take. None means no limit.
        progress: called with the number of steps taken so far, of :data:`STEPS` for each rate.

    Returns:
        The validation after each rate.
    """
    began = time.perf_counter()
    state = trainer.state
    start, kept = state.snapshot(), None
    trials = dict[float, Validation]()
    best = rates[0]

    def is_too_much(times: float) -> bool:
        """Return whether so many times the seconds that were spent so far are more than there are."""
        if budget is None:
            return False
        return processes.from_first(time.perf_counter() - began) * times > SHARE * budget

    for number, rate in enumerate(rates):
        if number and is_too_much((number + 1) / number):
            break
        state.restore(start)
        for taken, (epoch, batch) in enumerate(itertools.islice(endless(batches), STEPS)):
            progress(number * STEPS + taken)
            trainer.step(batch, epoch, warmed(rate, state.progress.step))
            if not number and is_too_much(1):
                break
        trials[rate] = validate(state.average.network)
        if kept is None or trials[rate].label_probability > trials[best].label_probability + CLEARLY:
            best, kept = rate, state.snapshot()
    progress(STEPS * len(rates))
    assert kept is not None
    state.restore(kept)
    state.peak = best
    return trials
