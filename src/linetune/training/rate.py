"""The learning rate that suits a stage's crops, found by trying a few.

How far a network may move depends on what it reads already. Where the base model reads most crops, a high
rate undoes at first what it can; where it reads few, a low rate takes many times as long. A short trial
tells the two apart (docs/recipe.md has the measurements).
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence

from linetune.config.schema import Stage
from linetune.training.batches import Batches, Step, endless
from linetune.training.best import Validation
from linetune.training.schedule import warmed
from linetune.training.trainer import Trainer

RATES = (1.5e-5, 4.5e-5, 1.35e-4)
"""Tried where everything trains."""
FROZEN_RATES = (1e-4, 3e-4, 1e-3)
"""Tried where the backbone is frozen."""
STEPS = 60
"""Steps of a trial: more than the warm-up and the memory of the averaged weights at that point."""
SHARE = 0.3
"""Most of a stage's time that goes into finding its rate."""


def rates_for(stage: Stage) -> Sequence[float]:
    """The rates that are worth a trial."""
    return FROZEN_RATES if "backbone" in stage.freeze else RATES


def trial_steps(stage: Stage) -> int:
    """Steps of all trials but the best one, whose steps count."""
    return STEPS * (len(rates_for(stage)) - 1) if stage.learning_rate is None else 0


def find_rate(
    trainer: Trainer,
    batches: Batches,
    validated: Callable[[], Validation],
    rates: Sequence[float],
    budget: float | None = None,
) -> tuple[dict[float, Validation], float, Iterator[tuple[int, Step]]]:
    """Take a few steps at every rate, from the same start on the same crops, and go on from the best.

    The best is the one after which the validation labels are most probable. Its steps are not lost: the
    trainer is left where they led, and the batches go on after them. Where the stage has to be over in
    ``budget`` seconds, rates after the first are tried as far as :data:`SHARE` of that time allows.

    Returns:
        what every rate came to, the best rate, and the batches that follow.
    """
    began = time.perf_counter()
    start, kept, stream = trainer.state(), None, endless(batches)
    tried = dict[float, Validation]()
    best = rates[0]
    for number, rate in enumerate(rates):
        spent = time.perf_counter() - began
        if number and budget is not None and spent * (number + 1) / number > SHARE * budget:
            break
        trainer.restore(start)
        stream = endless(batches)
        for epoch, batch in itertools.islice(stream, STEPS):
            trainer.step(batch, epoch, warmed(rate, trainer.at.step))
        tried[rate] = validated()
        if kept is None or tried[rate].label_probability > tried[best].label_probability:
            best, kept = rate, trainer.state()
    assert kept is not None
    trainer.restore(kept)
    return tried, best, stream
