"""The training loop: steps, validations, and the best of them kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from linetune.core.errors import LinetuneError
from linetune.models.network import Network
from linetune.training.batches import Step
from linetune.training.schedule import Schedule
from linetune.training.state import Validation
from linetune.training.tracker import Tracker
from linetune.training.trainer import Trainer

OnBetter = Callable[[Network, Validation], None]
"""Called with the averaged network after each validation that helps and is the best so far."""


def run_steps(
    trainer: Trainer,
    batches: Iterable[tuple[int, Step]],
    schedule: Schedule,
    tracker: Tracker,
    validate: Callable[[Network], Validation] | None = None,
    on_better: OnBetter = lambda network, validation: None,
) -> None:
    """Train until the schedule ends. ``trainer.state`` has the result.

    Args:
        trainer: takes the steps.
        batches: (epoch, batch) without end.
        schedule: the learning rate of each step, the validations and the end.
        tracker: records figures and shows progress.
        validate: reads the validation crops with a network. Without it, no best validation is kept.
        on_better: called with the averaged network after each validation that helps and is the best so far.

    Raises:
        LinetuneError: the loss became NaN or infinite before the first validation.
    """
    state = trainer.state
    for epoch, batch in batches:
        rate = schedule.rate(state.progress)
        loss = trainer.step(batch, epoch, rate)
        due = schedule.validates(state.progress)
        mean = tracker.step(loss, rate, trainer, due)
        if mean is None:
            continue
        if not math.isfinite(mean):
            _stop_at(mean, state.best, tracker)
            break
        tracker.progress(state.progress, schedule.length(state.progress), mean, state.best)
        if due and validate:
            began = time.perf_counter()
            found = validate(state.average.network)
            tracker.validation(found, state.progress, began)
            if state.keep_if_best(found) and found.helps:
                on_better(state.average.network, found)
            if cooling := schedule.cooling(state.progress):
                state.return_to_best()
                state.progress = replace(state.progress, cooling=cooling)
        if due and schedule.ends(state.progress):
            break
    tracker.ends()


def _stop_at(loss: float, best: Validation | None, tracker: Tracker) -> None:
    """Stop at a loss that is not finite: with the best validation, or with an error if there is none."""
    what, hint = f"the loss became {loss}", "lower its learning_rate"
    if best is None:
        raise LinetuneError(f"{what} before the first validation", tracker.where, hint)
    tracker.say(f"{what}; it stops with its best validation; {hint}")
